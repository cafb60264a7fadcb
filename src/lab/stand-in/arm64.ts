import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { Context } from '../../support/context.ts';
import type { MachineRequest } from '../machine/machine.ts';
import { checkPrograms } from '../machine/programs.ts';
import { MIB, makeDisk, partition } from './disk.ts';
import { INIT } from './init.ts';
import { initramfs, loadableModules } from './initramfs.ts';
import {
  FOLDERS,
  files,
  LINKS,
  makeStandInRoot,
  PACKAGES,
  rootKey,
  type StandIn,
  takeVmlinuz,
} from './root.ts';

/** Raised when the steps that make the guest change. */
const RECIPE = 1;

/** What the guest needs of its kernel, all loaded before its root: ext4 asks for crc32c without saying so. */
const MODULES = [
  'crc32c_generic',
  'virtio_blk',
  'ext4',
  'virtio_net',
  'virtio_rng',
  'overlay',
  'erofs',
  'loop',
  'dm_verity',
];

const ROOT: StandIn = {
  architecture: 'arm64',
  packages: ['linux-image-arm64', 'busybox-static', ...PACKAGES],
  programs: ['kairos-agent'],
  // Kairos' services for the stages, and its settings of systemd-sysext.
  configuration: ['09_systemd_services.yaml', '99_sysext.yaml'],
  files: files('arm64'),
  links: LINKS,
  folders: FOLDERS,
};

/** The partitions that the guest has of a Kairos node's, in the order in which its init mounts them: /oem, and the root. */
export const PARTITIONS = [
  partition('COS_OEM', MIB, 64 * MIB),
  partition('COS_ACTIVE', 65 * MIB, 1024 * MIB),
];
const DISK_SIZE = 1090 * MIB;

export interface Arm64Guest {
  /** Raw disk, never to be written. */
  readonly disk: string;
  readonly kernel: NonNullable<MachineRequest['kernel']>;
}

/**
 * A Debian arm64 guest that stands in for a Kairos core image: real systemd, real kairos-agent for the stages, Kairos' own settings of
 * systemd-sysext; no immucore, no boot loader, root writable. Made without running any arm64 program; cached by what it is made from.
 */
export async function arm64Guest(context: Context): Promise<Arm64Guest> {
  const key = { kind: 'lab-arm64', recipe: RECIPE, root: rootKey(ROOT), modules: MODULES, init: INIT };
  const folder = await builtFolder(context, key, async (made) => {
    await checkPrograms(['mmdebstrap', 'mkfs.ext4', 'xz']);
    const work = join(made, 'work');
    await mkdir(work);
    const root = join(work, 'root');
    await makeStandInRoot(root, work, ROOT, context);
    await takeKernel(root, made, context.signal);
    await makeDisk(
      join(made, 'disk.raw'),
      'sextant-lab-arm64',
      DISK_SIZE,
      PARTITIONS,
      { COS_ACTIVE: root },
      context.signal,
    );
    await rm(work, { recursive: true, force: true });
  });
  return {
    disk: join(folder, 'disk.raw'),
    kernel: {
      image: join(folder, 'vmlinuz'),
      initrd: join(folder, 'initrd'),
      commandLine: 'console=ttyAMA0 panic=5',
    },
  };
}

/** Moves the kernel out of the root, with an initramfs that loads all its modules that the guest needs. */
async function takeKernel(root: string, to: string, signal: AbortSignal): Promise<void> {
  const { modules } = await takeVmlinuz(root, to, 'arm64');
  const busybox = await readFile(join(root, 'usr/bin/busybox'));
  const loaded = await loadableModules(modules, MODULES, signal);
  await writeFile(join(to, 'initrd'), initramfs(busybox, loaded, INIT));
  await rm(join(root, 'usr/lib/modules'), { recursive: true });
}
