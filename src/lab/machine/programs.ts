import { run } from '../../support/subprocess.ts';

export const QEMU_HINT =
  'install it: apt-get install -y qemu-system-x86 qemu-utils (for arm64 guests: qemu-system-arm qemu-efi-aarch64)';

const HINTS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': QEMU_HINT,
  'qemu-img': QEMU_HINT,
  'qemu-io': QEMU_HINT,
  xorriso: 'install it: apt-get install -y xorriso',
  mksquashfs: 'install it: apt-get install -y squashfs-tools',
  debugfs: 'install it: apt-get install -y e2fsprogs',
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
