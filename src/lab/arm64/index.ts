import { copyFile, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { derivedUuid } from '../../image/dps.ts';
import { encodeGpt, type GptPartition } from '../../image/gpt.ts';
import { builtFolder } from '../../sources/built.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { PROGRAMS } from '../core/programs.ts';
import { SUITE } from '../machine/debian.ts';
import type { MachineRequest } from '../machine/machine.ts';
import { checkPrograms, tool } from '../machine/programs.ts';
import { INIT } from './init.ts';
import { initramfs, loadableModules } from './initramfs.ts';
import { FILES, LINKS, makeArm64Root, PACKAGES } from './root.ts';

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

const MIB = 1024 ** 2;
/** Linux filesystem data (Discoverable Partitions Specification). */
const LINUX_DATA = '0fc63daf-8483-4772-8e79-3d69d8477de4';

function partition(label: string, offset: number, size: number): GptPartition {
  return { typeUuid: LINUX_DATA, uuid: derivedUuid(label), label, offset, size, flags: 0n };
}

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
  const { 'kairos-agent': agent, 'kairos-init': configuration } = PROGRAMS;
  const key = {
    kind: 'lab-arm64',
    recipe: RECIPE,
    suite: SUITE,
    packages: PACKAGES,
    programs: [agent, configuration],
    files: FILES,
    links: LINKS,
    modules: MODULES,
    init: INIT,
  };
  const folder = await builtFolder(context, key, async (made) => {
    await checkPrograms(['mmdebstrap', 'mkfs.ext4', 'xz']);
    const work = join(made, 'work');
    await mkdir(work);
    const root = join(work, 'root');
    await makeArm64Root(root, work, context);
    await takeKernel(root, made, context.signal);
    await makeDisk(root, join(made, 'disk.raw'), context.signal);
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
  const modules = join(root, 'usr/lib/modules');
  const [version] = await readdir(modules);
  if (version === undefined)
    throw new SextantError('tool', `Debian ${SUITE} for arm64 came without a kernel`);
  await copyFile(join(root, 'boot', `vmlinuz-${version}`), join(to, 'vmlinuz'));
  const busybox = await readFile(join(root, 'usr/bin/busybox'));
  const loaded = await loadableModules(join(modules, version), MODULES, signal);
  await writeFile(join(to, 'initrd'), initramfs(busybox, loaded, INIT));
  await rm(modules, { recursive: true });
  await rm(join(root, 'boot'), { recursive: true });
}

async function makeDisk(root: string, disk: string, signal: AbortSignal): Promise<void> {
  const { primary, backup } = encodeGpt({
    diskUuid: derivedUuid('sextant-lab-arm64'),
    diskSize: DISK_SIZE,
    partitions: PARTITIONS,
  });
  const file = await open(disk, 'w');
  try {
    await file.write(primary, 0, primary.length, 0);
    await file.write(backup, 0, backup.length, DISK_SIZE - backup.length);
  } finally {
    await file.close();
  }
  for (const { label, offset, size } of PARTITIONS) {
    const filled = label === 'COS_ACTIVE' ? ['-d', root] : [];
    const place = ['-E', `offset=${offset}`, disk, `${size / 1024}k`];
    await tool('mkfs.ext4', ['-q', '-F', '-L', label, ...filled, ...place], signal);
  }
}
