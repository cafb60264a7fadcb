import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Architecture } from '../../support/architecture.ts';
import { atExit } from '../../support/at-exit.ts';
import { SextantError } from '../../support/errors.ts';
import { toolEnvironment } from '../../support/subprocess.ts';
import type { Accelerator } from './accelerator.ts';
import { type Channel, openChannel } from './channel.ts';
import { CHANNEL_NAME } from './channel-guest.ts';
import type { Emulator } from './emulator.ts';
import { QEMU_HINT } from './programs.ts';
import { connectQmp, type Qmp } from './qmp.ts';

export interface MachineRequest {
  /** Folder for logs. */
  readonly folder: string;
  /** Folder for sockets; its path must be short (a socket's address has 107 bytes, unix(7)). */
  readonly sockets: string;
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly emulator: Emulator;
  /** MiB. */
  readonly memory: number;
  readonly processors: number;
  /** Disks in order; they are tried in it, the first is booted. */
  readonly disks: readonly {
    readonly file: string;
    readonly format: 'raw' | 'qcow2';
    readonly readOnly?: boolean;
    /** Booted before all others, whatever its place. */
    readonly first?: boolean;
  }[];
  /** amd64 only. */
  readonly cdroms?: readonly string[];
  /** Start this kernel instead of the disk's boot loader; arm64 machines have no other way. */
  readonly kernel?: { readonly image: string; readonly initrd: string; readonly commandLine: string };
  /** UEFI firmware that enforces Secure Boot instead of the BIOS (amd64): its code, and its variables, which it writes. */
  readonly firmware?: { readonly code: string; readonly variables: string };
  /** Socket of a TPM 2.0 (swtpm(8)). */
  readonly tpm?: string;
  /** Network devices: arguments of -netdev and -device after the first, which is QEMU's user network. */
  readonly networks?: readonly string[];
  /** The user network starts without a cable; `setLink` plugs it in. */
  readonly unplugged?: boolean;
  /** More arguments for QEMU. */
  readonly extra?: readonly string[];
}

/** A running machine. */
export interface Machine {
  readonly pid: number;
  readonly consoleLog: string;
  readonly qmp: Qmp;
  readonly channel: Channel;
  /** When QEMU was started, milliseconds of the monotonic clock (performance.now()). */
  readonly startedAt: number;
  /** Resolves when QEMU has ended: the guest powered off, or somebody ended it. */
  readonly ended: Promise<void>;
  readonly isRunning: () => boolean;
  /** Ends QEMU now, as pulling the plug does. */
  stop(): Promise<void>;
}

const socketPath = (folder: string, name: string) => join(folder, `${name}.socket`);

/** QEMU's arguments for a machine; pure, so that it can be shown and tested. */
export function machineArguments(request: MachineRequest): string[] {
  const { folder, sockets, accelerator, architecture } = request;
  const socket = (id: string, extra = '') =>
    `socket,id=${id},path=${socketPath(sockets, id)},server=on,wait=off${extra}`;
  const arm = architecture === 'arm64';
  // A plain ARMv8.0: the pointer authentication that `max` has is slow to emulate (QEMU, docs/system/arm/cpu-features.rst).
  const emulated = arm ? 'cortex-a72' : 'max';
  const acceleration =
    accelerator.name === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', emulated];
  // The arm64 board has no screen here and no firmware: its guests are started by their kernel.
  // A hardware watchdog, as server boards have one: it resets the machine when nobody has fed it for too long.
  const watchdog = ['-device', 'i6300esb', '-action', 'watchdog=reset'];
  const { firmware, tpm } = request;
  const pc = firmware === undefined ? ['-machine', 'pc'] : firmwareArguments(firmware);
  const board = arm ? ['-machine', 'virt'] : [...pc, '-vga', 'std', ...watchdog];
  const drives = request.disks.flatMap(({ file, format, readOnly, first }, index) => [
    '-drive',
    `file=${file},format=${format},if=none,id=disk${index},cache=unsafe${readOnly ? ',readonly=on' : ''}`,
    '-device',
    `virtio-blk-pci,drive=disk${index},bootindex=${first ? 0 : index + 1}`,
  ]);
  const cdroms = (request.cdroms ?? []).flatMap((file, index) => [
    '-drive',
    `file=${file},format=raw,media=cdrom,readonly=on,if=none,id=cd${index}`,
    '-device',
    `ide-cd,bus=ide.${index},drive=cd${index}`,
  ]);
  const { kernel } = request;
  return [
    '-name',
    `sextant-lab ${folder.split('/').at(-1)}`,
    '-nodefaults',
    '-display',
    'none',
    ...acceleration,
    ...board,
    '-smp',
    String(request.processors),
    '-m',
    String(request.memory),
    ...drives,
    ...cdroms,
    ...(kernel === undefined
      ? []
      : ['-kernel', kernel.image, '-initrd', kernel.initrd, '-append', kernel.commandLine]),
    '-netdev',
    'user,id=net0',
    '-device',
    'virtio-net-pci,netdev=net0,id=nic0',
    ...(request.networks ?? []),
    ...(tpm === undefined ? [] : tpmDevice(tpm)),
    '-device',
    'virtio-rng-pci',
    '-chardev',
    socket('console', `,logfile=${join(folder, 'console.log')},logappend=on`),
    '-serial',
    'chardev:console',
    '-device',
    'virtio-serial-pci',
    '-chardev',
    socket('channel'),
    '-device',
    `virtserialport,chardev=channel,name=${CHANNEL_NAME}`,
    '-chardev',
    socket('qmp'),
    '-mon',
    'chardev=qmp,mode=control',
    ...(request.unplugged ? ['-S'] : []),
    ...(request.extra ?? []),
  ];
}

/** A board whose flash only the firmware writes, from system management mode (edk2, OvmfPkg/README, "SMM support"). */
function firmwareArguments({ code, variables }: NonNullable<MachineRequest['firmware']>): string[] {
  return [
    '-machine',
    'q35,smm=on',
    '-global',
    'driver=cfi.pflash01,property=secure,value=on',
    '-drive',
    `if=pflash,unit=0,format=raw,readonly=on,file=${code}`,
    '-drive',
    `if=pflash,unit=1,format=raw,file=${variables}`,
  ];
}

function tpmDevice(socket: string): string[] {
  return [
    '-chardev',
    `socket,id=tpm,path=${socket}`,
    '-tpmdev',
    'emulator,id=tpm0,chardev=tpm',
    '-device',
    'tpm-tis,tpmdev=tpm0',
  ];
}

/** Starts a machine. Throws `tool` when QEMU is missing or ends at once, with what it said. */
export async function startMachine(request: MachineRequest, signal: AbortSignal): Promise<Machine> {
  signal.throwIfAborted();
  const { folder, sockets } = request;
  const { program, args, environment } = request.emulator;
  for (const name of ['console', 'channel', 'qmp']) await rm(socketPath(sockets, name), { force: true });
  const log = await open(join(folder, 'qemu.log'), 'w');
  const startedAt = performance.now();
  const child: ChildProcess = spawn(program, [...args, ...machineArguments(request)], {
    stdio: ['ignore', log.fd, log.fd],
    env: toolEnvironment(environment),
    detached: true,
  });
  const outlived = atExit(() => child.kill('SIGKILL')); // It is in a process group of its own and would go on.
  let running = true;
  const ended = new Promise<void>((resolve) => {
    const over = () => {
      running = false;
      outlived();
      resolve();
    };
    child.once('exit', over);
    child.once('error', over);
  });
  const failed = once(child, 'error').then(([error]: NodeJS.ErrnoException[]) => {
    throw new SextantError(
      'tool',
      error?.code === 'ENOENT' ? `${program}: program not found` : `${program}: ${error?.message}`,
      { hint: QEMU_HINT },
    );
  });
  failed.catch(() => {});
  await log.close();
  const stop = async () => {
    if (running) child.kill('SIGKILL');
    await ended;
  };
  try {
    await Promise.race([
      failed,
      (async () => {
        const there = () =>
          stat(socketPath(sockets, 'qmp')).then(
            () => true,
            () => false,
          );
        while (running && !(await there())) await sleep(50, undefined, { signal });
        if (!running) {
          const said = (await readFile(join(folder, 'qemu.log'), 'utf8')).trim().split('\n').at(-1);
          throw new SextantError('tool', `${program} ended at once: ${said || 'it said nothing'}`, {
            hint: 'see `sextant doctor`',
          });
        }
      })(),
    ]);
    const qmp = await connectQmp(socketPath(sockets, 'qmp'));
    const channel = openChannel(socketPath(sockets, 'channel'));
    if (request.unplugged) {
      await qmp.execute('set_link', { name: 'nic0', up: false });
      await qmp.execute('cont');
    }
    void ended.then(() => {
      qmp.close();
      channel.close();
    });
    return {
      pid: child.pid ?? 0,
      consoleLog: join(folder, 'console.log'),
      qmp,
      channel,
      startedAt,
      ended,
      isRunning: () => running,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Plugs a raw disk in that nobody writes; the guest of a `pc` board sees it as a new virtio disk with this serial number. */
export async function plugDisk(machine: Machine, file: string, serial: string): Promise<void> {
  const driver = {
    driver: 'raw',
    'read-only': true,
    file: { driver: 'file', filename: file, 'read-only': true },
  };
  await machine.qmp.execute('blockdev-add', { 'node-name': serial, ...driver });
  await machine.qmp.execute('device_add', { driver: 'virtio-blk-pci', drive: serial, id: serial, serial });
}

/** Plugs the machine's network cable in or out. */
export async function setLink(machine: Machine, up: boolean): Promise<void> {
  await machine.qmp.execute('set_link', { name: 'nic0', up });
}
