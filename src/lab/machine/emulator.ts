import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { inStep } from '../../support/progress.ts';
import { run } from '../../support/subprocess.ts';
import type { Accelerator } from './accelerator.ts';
import { debianMirror, KEYRING, QEMU_HINT } from './programs.ts';

/** How to start QEMU: a program, the arguments that come first, and what its environment needs. */
export interface Emulator {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * QEMU before 8.1, emulating several processors at once, may run code that the guest has just changed: kernels, which patch
 * themselves, then stop with "Oops: int3" now and then ("accel/tcg: Always lock pages before translation" mended it).
 */
const SOUND: readonly [number, number] = [8, 1];

const PROGRAM: Readonly<
  Record<Architecture, { name: string; packages: string; firmware: readonly string[] }>
> = {
  amd64: { name: 'qemu-system-x86_64', packages: 'qemu-system-x86,seabios', firmware: ['seabios'] },
  arm64: {
    name: 'qemu-system-aarch64',
    packages: 'qemu-system-arm,qemu-efi-aarch64',
    firmware: ['qemu-efi-aarch64'],
  },
};

const SUITE = 'trixie';

/** This machine's QEMU; where guests would be emulated by one that is too old for it, Debian's next one, fetched into the cache. */
export async function findEmulator(
  architecture: Architecture,
  accelerator: Accelerator,
  context: Context,
): Promise<Emulator> {
  const { name, packages, firmware } = PROGRAM[architecture];
  const own = { program: name, args: [], environment: {} };
  const { stdout } = await run(name, ['--version'], { signal: context.signal, missingHint: QEMU_HINT });
  const version = /version (\d+)\.(\d+)/.exec(stdout.toString());
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  const sound = major > SOUND[0] || (major === SOUND[0] && minor >= SOUND[1]);
  if (accelerator.name === 'kvm' || sound) return own;
  const key = { kind: 'lab-qemu', suite: SUITE, packages, version: 1 };
  const root = await builtFolder(context, key, async (folder) => {
    await inStep(
      context.progress,
      `QEMU of Debian ${SUITE} (this machine's ${major}.${minor} emulates kernels wrongly)`,
      () =>
        run(
          'mmdebstrap',
          [
            '--quiet',
            '--variant=extract',
            '--format=directory',
            `--keyring=${KEYRING}`,
            `--include=${packages}`,
            '--aptopt=APT::Install-Recommends "false"',
            '--dpkgopt=path-exclude=/usr/share/{doc,man,locale}/*',
            SUITE,
            join(folder, 'root'),
            `deb [signed-by=${KEYRING}] ${debianMirror()} ${SUITE} main`,
          ],
          { signal: context.signal, missingHint: 'install it: apt-get install -y mmdebstrap' },
        ),
    );
  });
  const usr = join(root, 'root', 'usr');
  const libraries = join(usr, 'lib', 'x86_64-linux-gnu');
  return {
    program: join(usr, 'lib64', 'ld-linux-x86-64.so.2'),
    args: [
      '--library-path',
      libraries,
      join(usr, 'bin', name),
      ...['qemu', ...firmware].flatMap((folder) => ['-L', join(usr, 'share', folder)]),
    ],
    environment: { QEMU_MODULE_DIR: join(libraries, 'qemu') },
  };
}
