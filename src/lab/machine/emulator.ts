import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { inStep } from '../../support/progress.ts';
import type { Accelerator } from './accelerator.ts';
import { extractPackages, SUITE } from './debian.ts';
import { isInstalled, tool } from './programs.ts';

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

const PROGRAM: Readonly<Record<Architecture, { name: string; packages: readonly string[] }>> = {
  amd64: { name: 'qemu-system-x86_64', packages: ['qemu-system-x86', 'seabios'] },
  // Its guests are started by their kernel: no firmware.
  arm64: { name: 'qemu-system-aarch64', packages: ['qemu-system-arm'] },
};

/** Why this machine's QEMU will not do; undefined where it does. */
async function unfit(
  name: string,
  accelerator: Accelerator,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!(await isInstalled(name))) return `this machine has no ${name}`;
  const { stdout } = await tool(name, ['--version'], signal);
  const version = /version (\d+)\.(\d+)/.exec(stdout.toString());
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  const sound = major > SOUND[0] || (major === SOUND[0] && minor >= SOUND[1]);
  if (accelerator.name === 'kvm' || sound) return undefined;
  return `this machine's ${major}.${minor} emulates kernels wrongly`;
}

/**
 * This machine's QEMU; where it has none for that architecture, or guests would be emulated by one that is too old for it, Debian's
 * next one, fetched into the cache.
 */
export async function findEmulator(
  architecture: Architecture,
  accelerator: Accelerator,
  context: Context,
): Promise<Emulator> {
  const { name, packages } = PROGRAM[architecture];
  const why = await unfit(name, accelerator, context.signal);
  if (why === undefined) return { program: name, args: [], environment: {} };
  const key = { kind: 'lab-qemu', suite: SUITE, packages: packages.join(','), version: 1 };
  const root = await builtFolder(context, key, (folder) =>
    inStep(context.progress, `QEMU of Debian ${SUITE} (${why})`, () =>
      extractPackages(join(folder, 'root'), packages, context),
    ),
  );
  const usr = join(root, 'root', 'usr');
  const libraries = join(usr, 'lib', 'x86_64-linux-gnu');
  return {
    program: join(usr, 'lib64', 'ld-linux-x86-64.so.2'),
    args: [
      '--library-path',
      libraries,
      join(usr, 'bin', name),
      ...['qemu', 'seabios'].flatMap((folder) => ['-L', join(usr, 'share', folder)]),
    ],
    environment: { QEMU_MODULE_DIR: join(libraries, 'qemu') },
  };
}
