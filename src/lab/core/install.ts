import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep, type Step } from '../../support/progress.ts';
import { findAccelerator } from '../machine/accelerator.ts';
import { channelCloudConfig } from '../machine/channel-guest.ts';
import { createIso, partitionByLabel } from '../machine/disk.ts';
import { findEmulator } from '../machine/emulator.ts';
import { type Machine, type MachineRequest, startMachine } from '../machine/machine.ts';

/** GiB; sparse on the host. */
const DISK_SIZE = 12;
const INSTALL_SECONDS = 30 * 60;

/** What the installed system keeps as its own configuration. Smaller partitions than the defaults, which want more than 16 GiB. */
export const INSTALL_CONFIG = `#cloud-config
install:
  device: /dev/vda
  partitions:
    recovery: {size: 2400, fs: ext4}
    state: {size: 6400, fs: ext4}
users:
- name: kairos
  passwd: kairos
  groups: [admin]
`;

/** What is part of a disk's cache key besides the image on it. */
export const INSTALLATION = { size: DISK_SIZE, config: INSTALL_CONFIG, version: 1 };

export type LiveMedium =
  /** A live image of ours, started by its kernel. */
  | { readonly folder: string }
  /** A released ISO, started by its own boot loader. */
  | { readonly iso: string };

/**
 * Lays a disk out by the real installer (kairos-agent manual-install) in a live guest: `to` becomes a raw, sparse disk that boots
 * through its own GRUB. `userData` is what the installer is given and keeps in /oem. Throws `tool` with the end of what the installer said.
 */
export async function installDisk(
  medium: LiveMedium,
  to: string,
  work: string,
  context: Context,
  userData: string = INSTALL_CONFIG,
): Promise<void> {
  const { signal, progress } = context;
  await mkdir(work, { recursive: true });
  const seed = join(work, 'cidata');
  await mkdir(seed);
  await writeFile(join(seed, 'meta-data'), '');
  await writeFile(join(seed, 'user-data'), `${channelCloudConfig()}${MASK_AUTOMATIC_INSTALL}`);
  const seedIso = join(work, 'cidata.iso');
  await createIso(seedIso, 'cidata', [seed], signal);
  let live: Pick<MachineRequest, 'kernel' | 'cdroms'>;
  if ('folder' in medium) {
    const iso = join(work, 'live.iso');
    await createIso(iso, 'COS_LIVE', [join(medium.folder, 'rootfs.squashfs')], signal);
    const kernel = {
      image: join(medium.folder, 'vmlinuz'),
      initrd: join(medium.folder, 'initrd'),
      commandLine: LIVE_COMMAND_LINE,
    };
    live = { kernel, cdroms: [iso, seedIso] };
  } else {
    live = { cdroms: [medium.iso, seedIso] };
  }
  await writeFile(to, '');
  await truncate(to, DISK_SIZE * 1024 ** 3);
  const sockets = await mkdtemp(join(tmpdir(), 'sextant-'));
  try {
    await inStep(progress, 'install onto a disk', async (step) => {
      const accelerator = await findAccelerator(signal);
      const emulator = await findEmulator('amd64', accelerator, context);
      const machine = await startMachine(
        {
          folder: work,
          sockets,
          architecture: 'amd64',
          accelerator,
          emulator,
          memory: 4096,
          processors: 2,
          disks: [{ file: to, format: 'raw' }],
          ...live,
        },
        signal,
      );
      const limit = AbortSignal.timeout(INSTALL_SECONDS * 1000);
      const stop = () => void machine.stop();
      signal.addEventListener('abort', stop, { once: true });
      limit.addEventListener('abort', stop, { once: true });
      try {
        await install(machine, step, userData);
      } catch (error) {
        signal.throwIfAborted();
        if (limit.aborted)
          throw new SextantError('tool', `the installer took longer than ${INSTALL_SECONDS / 60} minutes`);
        throw error;
      } finally {
        signal.removeEventListener('abort', stop);
        await machine.stop();
      }
    });
  } finally {
    await rm(sockets, { recursive: true, force: true });
  }
  await partitionByLabel(to, 'COS_STATE');
  await partitionByLabel(to, 'COS_OEM');
}

// lab.md's own words for a live start of a root file system that has no boot loader on its medium.
const LIVE_COMMAND_LINE =
  'console=ttyS0 net.ifnames=1 root=live:CDLABEL=COS_LIVE rd.live.dir=/ rd.live.squashimg=rootfs.squashfs ' +
  'rd.live.overlay.overlayfs=1 cdroot rd.cos.disable rd.neednet=0 selinux=0 install-mode';

// A live system starts an installer of its own; this guest's is started by the lab.
const MASK_AUTOMATIC_INSTALL = `  - name: Sextant lab installs by itself
    if: '[ -e /run/cos/live_mode ]'
    commands:
    - systemctl mask --runtime --now kairos-installer kairos-webui kairos || true
`;

async function install(machine: Machine, step: Step, userData: string): Promise<void> {
  step.update({ note: 'starting the live system' });
  await machine.channel.greeting();
  step.update({ note: 'kairos-agent manual-install' });
  const config = Buffer.from(userData).toString('base64');
  const { code, output } = await machine.channel.run(
    `echo ${config} | base64 -d >/run/install.yaml
kairos-agent manual-install --device /dev/vda /run/install.yaml && sync`,
    (text) => {
      const line =
        text
          .trimEnd()
          .split('\n')
          .at(-1)
          ?.replace(/\p{Cc}\[[\d;]*m/gu, '') ?? '';
      step.update({ note: line.slice(0, 60) });
    },
  );
  if (code !== 0) {
    throw new SextantError('tool', `kairos-agent manual-install ended with exit code ${code}`, {
      details: output.trimEnd().split('\n').slice(-15).join('\n'),
    });
  }
  await Promise.race([machine.channel.run('systemctl --no-block poweroff').catch(() => {}), machine.ended]);
  await Promise.race([machine.ended, sleep(120_000)]);
}
