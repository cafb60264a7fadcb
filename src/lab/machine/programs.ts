import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { run } from '../../support/subprocess.ts';

/** Key of Debian's archive, and where its packages come from: $DEBIAN_MIRROR, or Debian's own address. */
export const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
export const debianMirror = () => process.env.DEBIAN_MIRROR || 'http://deb.debian.org/debian';

export const QEMU_HINT = 'install it: apt-get install -y qemu-system-x86 qemu-utils';

const HINTS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': QEMU_HINT,
  'qemu-img': QEMU_HINT,
  'qemu-io': QEMU_HINT,
  xorriso: 'install it: apt-get install -y xorriso',
  mksquashfs: 'install it: apt-get install -y squashfs-tools',
  debugfs: 'install it: apt-get install -y e2fsprogs',
  'mkfs.ext4': 'install it: apt-get install -y e2fsprogs',
  xz: 'install it: apt-get install -y xz-utils',
  unshare: 'install it: apt-get install -y util-linux',
  chroot: 'install it: apt-get install -y coreutils',
  mmdebstrap: 'install it: apt-get install -y mmdebstrap',
};

/** Runs one of the lab's tools; a missing one is a `tool` error that names its package. */
export function tool(name: string, args: readonly string[], signal: AbortSignal, input?: string) {
  const missingHint = HINTS[name];
  return run(name, args, {
    signal,
    ...(input === undefined ? {} : { input }),
    ...(missingHint === undefined ? {} : { missingHint }),
  });
}

/** What every lab needs; making the lab's own core image, and installing from an ISO, needs more. */
const ALWAYS = ['qemu-system-x86_64', 'qemu-img', 'qemu-io', 'debugfs'];

/** Whether a program is there to be run. */
export async function isInstalled(name: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const found = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** Refuses at once, before anything long begins, when programs are missing; all of them in one `tool` error. */
export async function checkPrograms(more: readonly string[] = []): Promise<void> {
  const missing: string[] = [];
  for (const name of [...ALWAYS, ...more]) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return;
  throw new SextantError(
    'tool',
    `${missing.join(', ')}: program${missing.length === 1 ? '' : 's'} not found`,
    {
      hint: [...new Set(missing.map((name) => HINTS[name] ?? QEMU_HINT))].join('; '),
    },
  );
}
