import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { CORE_FACTS, checkCore } from './core-check.ts';
import type { Accelerator } from './machine/accelerator.ts';
import type { Boot, GuestResult } from './machine/channel.ts';
import { channelCloudConfig } from './machine/channel-guest.ts';
import { createOverlay, type Files, writeOem } from './machine/disk.ts';
import type { Emulator } from './machine/emulator.ts';
import { type Machine, type MachineRequest, startMachine } from './machine/machine.ts';
import { STEPS, type StepName, watchScript } from './watch.ts';
import { withinTime } from './within-time.ts';

/** Name of the lab's own file in /oem. */
const CHANNEL_FILE = '99_sextant-lab.yaml';

export interface NodeRequest {
  readonly name: string;
  /** Folder of this node: disk, logs. */
  readonly folder: string;
  /** Raw disk of an installed core node, never written. */
  readonly base: string;
  readonly accelerator: Accelerator;
  readonly emulator: Emulator;
  readonly architecture?: Architecture;
  /** MiB; default 4096. */
  readonly memory?: number;
  readonly processors?: number;
  /** Files for /oem besides the lab's own. */
  readonly oem: Files;
  readonly machine?: Partial<
    Pick<MachineRequest, 'kernel' | 'firmware' | 'tpm' | 'networks' | 'unplugged' | 'extra'>
  > & {
    readonly moreDisks?: MachineRequest['disks'];
  };
}

export interface LabNode {
  readonly name: string;
  readonly folder: string;
  /** Socket of the serial console; one reader at a time. */
  readonly consoleSocket: string;
  readonly machine: Machine;
  /** Runs a shell script as root in the guest and gives its output; another exit code than 0 is a `tool` error with the output. */
  run(script: string): Promise<string>;
  /** The same, any exit code. */
  try(script: string, onOutput?: (text: string) => void): Promise<GuestResult>;
  /** Resolves with this boot once the guest answers. */
  boot(timeoutSeconds?: number): Promise<Boot>;
  /** Resolves with the boot that comes after `bootId`, when the guest restarts by itself. */
  bootAfter(bootId: string, timeoutSeconds?: number): Promise<Boot>;
  /** When this boot began: power-on or the last restart, milliseconds of the monotonic clock (performance.now()). */
  bootedAt(): number;
  /** Follows this boot through its steps, after a look at what image it is; seconds since power-on (or since the restart) of each. */
  watch(options: {
    /** Undefined for a standard image, which has none. */
    readonly extensionName: string | undefined;
    /** Whether the guest has an API server of its own; an agent's boot is followed until the merge. */
    readonly api: boolean;
    readonly onStep?: (step: StepName, seconds: number) => void;
    readonly timeoutSeconds?: number;
  }): Promise<ReadonlyMap<StepName, number>>;
  /** Restarts through the guest's own shutdown and resolves when its channel is back. */
  restart(): Promise<void>;
  /** Shuts down through the guest and resolves when the machine has ended. */
  powerOff(): Promise<void>;
  /** Ends the machine at once and removes its sockets; the disk and the logs stay. */
  stop(): Promise<void>;
}

const BOOT_SECONDS = 900;

/** Makes the node's disk, an overlay, with its /oem. */
export async function prepareDisk(request: NodeRequest, signal: AbortSignal): Promise<string> {
  await mkdir(request.folder, { recursive: true });
  const disk = join(request.folder, 'disk.qcow2');
  await createOverlay(request.base, disk, signal);
  await writeOem(request.base, disk, { ...request.oem, [CHANNEL_FILE]: channelCloudConfig() }, signal);
  return disk;
}

/** Boots a disk that `prepareDisk` made. */
export async function bootNode(request: NodeRequest, disk: string, signal: AbortSignal): Promise<LabNode> {
  const { name, folder } = request;
  const sockets = await mkdtemp(join(tmpdir(), 'sextant-'));
  const machine = await startMachine(
    {
      folder,
      sockets,
      architecture: request.architecture ?? 'amd64',
      accelerator: request.accelerator,
      emulator: request.emulator,
      memory: request.memory ?? 4096,
      processors: request.processors ?? 2,
      disks: [{ file: disk, format: 'qcow2' }, ...(request.machine?.moreDisks ?? [])],
      ...request.machine,
    },
    signal,
  ).catch(async (error: unknown) => {
    await rm(sockets, { recursive: true, force: true });
    throw error;
  });
  return labNode(name, folder, sockets, machine, signal);
}

function labNode(
  name: string,
  folder: string,
  sockets: string,
  machine: Machine,
  signal: AbortSignal,
): LabNode {
  const { channel } = machine;
  /** Where this boot began on the host's clock, milliseconds. */
  let bootedAt = machine.startedAt;
  machine.qmp.onEvent((event) => {
    if (event === 'RESET') bootedAt = performance.now();
  });
  const limited = <T>(work: Promise<T>, seconds: number, what: string): Promise<T> =>
    withinTime(work, {
      seconds,
      signal,
      late: () =>
        new SextantError('tool', `${name}: ${what} took longer than ${seconds} s`, {
          hint: `see the console: ${machine.consoleLog}`,
        }),
    });
  const runs = (script: string, onOutput?: (text: string) => void, seconds = BOOT_SECONDS) =>
    limited(
      channel.greeting().then(() => channel.run(script, onOutput)),
      seconds,
      'a command in the guest',
    );
  const stop = async () => {
    await machine.stop();
    await rm(sockets, { recursive: true, force: true });
  };
  return {
    name,
    folder,
    consoleSocket: join(sockets, 'console.socket'),
    machine,
    stop,
    try: (script, onOutput) => runs(script, onOutput),
    boot: (timeoutSeconds = BOOT_SECONDS) =>
      limited(channel.greeting(), timeoutSeconds, 'the boot until the node answers'),
    bootAfter: (bootId, timeoutSeconds = BOOT_SECONDS) =>
      limited(channel.bootAfter(bootId), timeoutSeconds, 'the restart that the node does by itself'),
    bootedAt: () => bootedAt,
    async run(script) {
      const { code, output } = await runs(script);
      if (code === 0) return output;
      throw new SextantError('tool', `${name}: a command in the guest ended with exit code ${code}`, {
        details: `${script.trim().split('\n').slice(-3).join('\n')}\n${output.trimEnd().split('\n').slice(-15).join('\n')}`,
      });
    },
    async watch({ extensionName, api, onStep, timeoutSeconds = BOOT_SECONDS }) {
      const times = new Map<StepName, number>();
      const mark = (step: StepName, seconds: number) => {
        times.set(step, seconds);
        onStep?.(step, seconds);
      };
      const greeting = channel.greeting();
      const { uptime, heardAt } = await limited(greeting, timeoutSeconds, 'the boot until the node answers');
      // The guest's clock starts with its kernel: what came before it is the firmware's and the boot loader's.
      const firmware = Math.max(0, (heardAt - bootedAt) / 1000 - uptime);
      mark('firmware', firmware);
      mark('initramfs', firmware + uptime);
      if (extensionName !== undefined) checkCore(name, (await runs(CORE_FACTS)).output);
      let rest = '';
      const take = (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const [index = '', at = ''] = line.split(' ');
          const step = STEPS[Number(index)];
          if (/^\d+$/.test(index) && step !== undefined) mark(step, firmware + Number(at));
        }
      };
      const { code, output } = await runs(watchScript(extensionName, api), take, timeoutSeconds);
      if (code !== 0)
        throw new SextantError('tool', `${name}: watching the boot failed`, { details: output });
      return times;
    },
    async restart() {
      const { bootId } = await limited(channel.greeting(), BOOT_SECONDS, 'the boot until the node answers');
      const asked = await limited(
        channel.run(orderly('reboot')).catch(() => undefined), // Gone before it could answer.
        BOOT_SECONDS,
        'the shutdown',
      );
      if (asked !== undefined && asked.code !== 0)
        throw new SextantError('tool', `${name}: the restart was refused for a minute`, {
          details: asked.output.trimEnd().split('\n').slice(-15).join('\n'),
        });
      await limited(channel.bootAfter(bootId), BOOT_SECONDS, 'the restart');
    },
    async powerOff() {
      if (machine.isRunning()) {
        void channel.run(orderly('poweroff')).catch(() => {});
        await limited(machine.ended, 300, 'the shutdown');
      }
      await stop();
    },
  };
}

/**
 * As an operator would: where it is refused, again. While Kairos runs its stage reconcile (five minutes after a boot, then hourly) an
 * inhibitor lock is held, which since systemd 257 stops root as well.
 */
function orderly(verb: 'reboot' | 'poweroff'): string {
  return `for again in $(seq 30); do
  systemctl --no-block ${verb} && exit 0
  sleep 2
done
systemd-inhibit --list --no-pager
exit 1`;
}
