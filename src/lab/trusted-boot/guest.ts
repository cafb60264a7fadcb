import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { Context } from '../../support/context.ts';
import { inStep } from '../../support/progress.ts';
import { checkPrograms } from '../machine/programs.ts';
import { loadableModules, moduleName } from '../stand-in/initramfs.ts';
import {
  FOLDERS,
  files,
  LINKS,
  makeStandInRoot,
  PACKAGES,
  rootKey,
  type StandIn,
  takeVmlinuz,
} from '../stand-in/root.ts';
import type { BootTools } from './tools.ts';

/** Raised when the steps that make the guest change. */
const RECIPE = 1;

/** What the guest needs of its kernel; immucore loads some by name, the kernel asks for the others. */
const MODULES = [
  'efivarfs',
  'virtio_blk',
  'virtio_net',
  'virtio_rng',
  'virtio_console',
  'ext4',
  'crc32c_generic',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'nls_iso8859_1',
  'overlay',
  'erofs',
  'loop',
  'dm_verity',
  'af_packet',
];

/** The root of the system in the UKI: immucore is what the kernel starts, as in Kairos' own. */
const ROOT: StandIn = {
  architecture: 'amd64',
  packages: ['linux-image-amd64', 'kmod', 'e2fsprogs', 'rsync', 'systemd-container', ...PACKAGES],
  programs: ['kairos-agent', 'immucore'],
  // What decides the layout, Kairos' services for the stages, and its settings of systemd-sysext.
  configuration: ['00_rootfs.yaml', '09_systemd_services.yaml', '99_sysext.yaml'],
  files: files('trusted'),
  links: { ...LINKS, '/init': '/usr/bin/immucore', '/usr/sbin/init': '/usr/lib/systemd/systemd' },
  // Mount points that the installer or the image's build would have made; the root is read-only.
  folders: [...FOLDERS, '/efi', '/home', '/root', '/srv', '/tmp', '/var/lib', '/etc/modprobe.d'],
};

/** What a UKI is put together from. */
export interface TrustedGuest {
  readonly kernel: string;
  readonly initrd: string;
  readonly osRelease: string;
}

/**
 * A Debian amd64 system, whole in one initrd, that stands in for a Kairos image for trusted boot: real immucore, kairos-agent, systemd and
 * kernel; AuroraBoot, the installer and encrypted partitions are not there. Cached by what it is made from.
 */
export async function trustedGuest(tools: BootTools, context: Context): Promise<TrustedGuest> {
  const key = { kind: 'lab-trusted-boot', recipe: RECIPE, root: rootKey(ROOT), modules: MODULES };
  const folder = await builtFolder(context, key, async (made) => {
    await checkPrograms(['mmdebstrap', 'xz']);
    const work = join(made, 'work');
    await mkdir(work);
    const root = join(work, 'root');
    await makeStandInRoot(root, work, ROOT, context);
    await copyFile(join(root, 'usr/lib/os-release'), join(made, 'os-release'));
    const version = await takeKernel(root, made, context.signal);
    await inStep(context.progress, 'the whole system as an initrd', async () => {
      await tools.run(work, ['depmod', '-b', '/tmp/root', version]);
      await tools.run(made, ['sh', '-c', PACK]);
    });
    await rm(work, { recursive: true, force: true });
  });
  return {
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd'),
    osRelease: join(folder, 'os-release'),
  };
}

/** The cpio archive that the kernel unpacks as its first root, owned by root as all files of a fresh Debian root but a few are. */
const PACK = `cd work/root
find . -print0 | sort -z | cpio --quiet --null -o -H newc -R 0:0 >/tmp/work/initrd.cpio
zstd -q -T0 -9 /tmp/work/initrd.cpio -o /tmp/initrd`;

/** Moves the kernel out of the root and leaves only the modules that the guest needs. Gives its version. */
async function takeKernel(root: string, to: string, signal: AbortSignal): Promise<string> {
  const { version, modules: own } = await takeVmlinuz(root, to, 'amd64');
  const builtIn = new Set((await readFile(join(own, 'modules.builtin'), 'utf8')).split('\n').map(moduleName));
  const wanted = MODULES.filter((name) => !builtIn.has(name));
  const needed = await loadableModules(own, wanted, signal);
  await rm(join(own, 'kernel'), { recursive: true });
  await mkdir(join(own, 'kernel'));
  for (const [name, content] of needed) await writeFile(join(own, 'kernel', `${name}.ko`), content);
  return version;
}
