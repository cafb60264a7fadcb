import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { Context } from '../../support/context.ts';
import { inStep } from '../../support/progress.ts';
import { type RunResult, run, toolEnvironment } from '../../support/subprocess.ts';
import { extractPackages, SUITE } from '../machine/debian.ts';
import { checkPrograms } from '../machine/programs.ts';

/** Firmware, a TPM, and what makes and signs what the firmware starts. */
const PACKAGES = [
  'ovmf',
  'swtpm',
  'systemd-ukify',
  'systemd-boot-efi',
  'sbsigntool',
  'efitools',
  'dosfstools',
  'mtools',
  'cpio',
  'zstd',
  'kmod',
  // What a shell inside needs.
  ...['base-files', 'coreutils', 'dash', 'findutils'],
];

/** Enters the tools' root with a folder of ours as /tmp, to which alone they can write, in namespaces that end with it: no mount outlives a crash. */
const ENTER = `set -eu
root=$1 work=$2; shift 2
mount --make-rprivate /
mount --bind "$work" "$root/tmp"
mount --rbind /dev "$root/dev"
exec chroot "$root" /bin/sh -c 'cd /tmp && exec "$@"' sh "$@"
`;

/** swtpm has libraries of its own in a folder of its own. */
const libraries = (root: string) =>
  ['usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/swtpm'].map((folder) => join(root, folder));

/** Debian's tools for trusted boot. */
export interface BootTools {
  /** Their root, never to be written. */
  readonly root: string;
  /** Runs one of them with `folder` as its working directory, by which alone it sees our files. */
  run(folder: string, command: readonly string[]): Promise<RunResult>;
  /** The same for a program that is started by somebody else: its command line. It sees this machine's files. */
  program(path: string): { readonly program: string; readonly args: readonly string[] };
}

/** The tools, fetched into the cache when first asked for. Throws `tool` where a program of this machine is missing. */
export async function bootTools(context: Context): Promise<BootTools> {
  await checkPrograms(['mmdebstrap', 'unshare', 'chroot']);
  const key = { kind: 'lab-boot-tools', suite: SUITE, packages: PACKAGES.join(','), version: 1 };
  const made = await builtFolder(context, key, (folder) =>
    inStep(context.progress, `OVMF, swtpm and ukify of Debian ${SUITE}`, () =>
      extractPackages(join(folder, 'root'), PACKAGES, context),
    ),
  );
  const root = join(made, 'root');
  return {
    root,
    run: (folder, command) =>
      run('unshare', ['--map-root-user', '--mount', 'sh', '-c', ENTER, 'sh', root, folder, ...command], {
        signal: context.signal,
        env: toolEnvironment({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/' }),
      }),
    program: (path) => ({
      program: join(root, 'usr/lib64/ld-linux-x86-64.so.2'),
      args: ['--library-path', libraries(root).join(':'), join(root, path)],
    }),
  };
}
