import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep, type Step } from '../../support/progress.ts';
import { type RunOptions, run, toolEnvironment } from '../../support/subprocess.ts';
import { debianMirror, KEYRING } from '../machine/programs.ts';

/** Debian release under the core image, and the version that the image says it has (KAIROS_VERSION). */
export const BASE = { suite: 'trixie', version: 'v4.1.0' } as const;

/** Runs kairos-init in a root, with the kernel's file systems, in namespaces that end with it: no mount outlives a crash. */
const ENTER = `set -eu
root=$1; shift
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmp "$root/run"
[ ! -e /etc/resolv.conf ] || { [ -e "$root/etc/resolv.conf" ] || [ -L "$root/etc/resolv.conf" ] || : >"$root/etc/resolv.conf"
  cp --remove-destination -L /etc/resolv.conf "$root/etc/resolv.conf"; }
exec chroot "$root" "$@"
`;

/** What kairos-init puts into an image besides the core. */
export interface RootVariant {
  /** Arguments of kairos-init that decide what the image is. */
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Files in the root before kairos-init runs, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The arguments for a core image: everything but the provider and what it installs. */
export const CORE: RootVariant = { arguments: ['--skip-step', 'buildProvider'] };

/**
 * A Kairos root file system on Debian in the folder `root`, made by the real kairos-init: kernel, systemd, GRUB, initrd with immucore.
 * Needs root, mmdebstrap and the network. Throws `usage` without root, `tool` when a step fails.
 */
export async function makeRoot(
  root: string,
  kairosInit: string,
  variant: RootVariant,
  context: Context,
): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new SextantError('usage', "making the lab's own core image needs root", {
      hint: 'run as root once (the image is cached), or give a released image with --core FILE|URL',
    });
  }
  const mirror = debianMirror();
  await inStep(context.progress, `Debian ${BASE.suite}`, (step) =>
    follow(
      step,
      'mmdebstrap',
      [
        '--variant=apt',
        '--format=directory',
        `--keyring=${KEYRING}`,
        '--include=ca-certificates',
        BASE.suite,
        root,
        `deb [signed-by=${KEYRING}] ${mirror} ${BASE.suite} main`,
      ],
      context,
    ),
  );
  const enter = join(root, '..', 'enter.sh');
  await writeFile(enter, ENTER);
  await copyFile(kairosInit, join(root, 'kairos-init'));
  for (const [path, content] of Object.entries(variant.files ?? {}))
    await writeFile(join(root, path), content);
  const inside = (
    step: Step,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) =>
    follow(
      step,
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', 'sh', enter, root, ...command],
      context,
      { DEBIAN_FRONTEND: 'noninteractive', ...environment },
    );
  await inStep(context.progress, 'kairos-init: kernel, systemd, GRUB, initrd', (step) =>
    inside(step, ['/kairos-init', '--version', BASE.version, ...variant.arguments], variant.environment),
  );
  await rm(join(root, 'kairos-init'));
  await rm(enter);
  await rm(join(root, 'etc/resolv.conf'), { force: true });
}

/** The root as the live image that the installer starts from, and the kernel and initrd to start it with, in `folder`. */
export async function packRoot(root: string, folder: string, context: Context): Promise<void> {
  const boot = join(root, 'boot');
  const kernel = (await readdir(boot)).find((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new SextantError('tool', 'kairos-init left no kernel in the image');
  await mkdir(folder, { recursive: true });
  await copyFile(join(boot, kernel), join(folder, 'vmlinuz'));
  await copyFile(join(boot, 'initrd'), join(folder, 'initrd'));
  await inStep(context.progress, 'live image', (step) =>
    follow(
      step,
      'mksquashfs',
      [
        root,
        join(folder, 'rootfs.squashfs'),
        '-comp',
        'zstd',
        '-Xcompression-level',
        '3',
        '-noappend',
        '-quiet',
        '-no-progress',
      ],
      context,
    ),
  );
}

/** Runs a tool with its last line of output as the step's note. */
async function follow(
  step: Step,
  command: string,
  args: readonly string[],
  context: Context,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const options: RunOptions = {
    env: toolEnvironment(environment),
    signal: context.signal,
    timeoutSeconds: 3600,
    keepBytes: 1024 * 1024,
    onOutput: (piece) => {
      const line = piece.toString('utf8').trimEnd().split('\n').at(-1)?.trim() ?? '';
      if (line !== '')
        step.update({
          note: line
            .replace(/\p{Cc}\[[\d;]*m/gu, '')
            .replace(/\p{Cc}/gu, ' ')
            .slice(0, 60),
        });
    },
  };
  await run(command, args, options);
}
