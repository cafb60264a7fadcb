import { copyFile, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { goBuilder } from '../../sources/go-module/index.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { buildProgram, PROGRAMS } from '../core/programs.ts';
import { extractPackages, SUITE } from '../machine/debian.ts';

/** What a guest is made of that stands in for a Kairos core image: its root's content, and so a part of its cache key. */
export interface StandIn {
  readonly architecture: Architecture;
  readonly packages: readonly string[];
  /** Real programs of Kairos, put into /usr/bin. */
  readonly programs: readonly (keyof typeof PROGRAMS)[];
  /** Kairos' own configuration, of kairos-init: names of files for /system/oem. */
  readonly configuration: readonly string[];
  /** What Debian's maintainer scripts would have left, as far as the guest needs it; users come from systemd-sysusers. */
  readonly files: Readonly<Record<string, string>>;
  readonly links: Readonly<Record<string, string>>;
  readonly folders: readonly string[];
}

/** What every such guest has. */
export const PACKAGES = [
  // What Debian calls essential, as far as scripts use it: nothing is implied where packages are only unpacked.
  ...['base-files', 'bash', 'coreutils', 'dash', 'findutils', 'grep', 'hostname', 'sed', 'util-linux'],
  'systemd',
  'systemd-cryptsetup',
  'udev',
  'dbus',
  'dmsetup',
  'curl',
  'ca-certificates',
  'iproute2',
  'procps',
  'mount',
];

const MACHINE_ID = `${'a'.repeat(32)}\n`;

export const files = (hostname: string): Readonly<Record<string, string>> => ({
  '/etc/hostname': `${hostname}\n`,
  '/etc/hosts': `127.0.0.1 localhost ${hostname}\n`,
  '/etc/machine-id': MACHINE_ID,
  '/etc/fstab': '',
  // QEMU's user network; names are not resolved.
  '/etc/systemd/network/10-lab.network':
    '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n',
});

const UNITS = '/usr/lib/systemd/system';
export const LINKS: Readonly<Record<string, string>> = {
  '/var/run': '/run',
  '/etc/systemd/system/multi-user.target.wants/network-online.target': `${UNITS}/network-online.target`,
  '/etc/systemd/system/multi-user.target.wants/systemd-networkd.service': `${UNITS}/systemd-networkd.service`,
  '/etc/systemd/system/network-online.target.wants/systemd-networkd-wait-online.service': `${UNITS}/systemd-networkd-wait-online.service`,
};

export const FOLDERS = [
  '/oem',
  '/proc',
  '/sys',
  '/dev',
  '/run',
  '/system/oem',
  '/opt',
  '/etc/systemd/system/sysinit.target.wants',
  ...['bin', 'sbin', 'include', 'lib', 'share', 'src'].map((name) => `/usr/local/${name}`),
];

/** The part of a guest's cache key that says what its root is made from. */
export function rootKey(standIn: StandIn) {
  const versions = [...standIn.programs, 'kairos-init' as const].map((name) => PROGRAMS[name]);
  return { ...standIn, programs: versions, suite: SUITE };
}

/**
 * A Debian root with real programs and configuration of Kairos in the new folder `root`; nothing of it is run on the way. Needs root, for
 * the owners of files. Throws `usage` without it.
 */
export async function makeStandInRoot(
  root: string,
  work: string,
  standIn: StandIn,
  context: Context,
): Promise<void> {
  const { architecture } = standIn;
  if (process.getuid?.() !== 0) {
    throw new SextantError('usage', `making the ${architecture} guest needs root`, {
      hint: 'run as root once (the guest is cached)',
    });
  }
  await inStep(context.progress, `Debian for ${architecture}`, () =>
    extractPackages(root, standIn.packages, context, architecture),
  );
  for (const folder of standIn.folders) await mkdir(join(root, folder), { recursive: true });
  for (const [path, content] of Object.entries(standIn.files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  for (const [path, target] of Object.entries(standIn.links)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await rm(join(root, path), { recursive: true, force: true });
    await symlink(target, join(root, path));
  }
  const go = await goBuilder(context, architecture);
  for (const program of standIn.programs) {
    await inStep(context.progress, `${program} for ${architecture}`, () =>
      buildProgram(go, program, work, join(root, 'usr/bin', program)),
    );
  }
  const source = join(work, 'kairos-init-source');
  await go.copyModule(PROGRAMS['kairos-init'], source);
  for (const name of standIn.configuration)
    await copyFile(join(source, 'pkg/bundled/cloudconfigs', name), join(root, 'system/oem', name));
}

/** Moves the kernel out of a root: its image to `vmlinuz` in the folder `to`. Gives its version and the folder of its modules, which stay. */
export async function takeVmlinuz(
  root: string,
  to: string,
  architecture: Architecture,
): Promise<{ readonly version: string; readonly modules: string }> {
  const folder = join(root, 'usr/lib/modules');
  const [version] = await readdir(folder);
  if (version === undefined)
    throw new SextantError('tool', `Debian ${SUITE} for ${architecture} came without a kernel`);
  await copyFile(join(root, 'boot', `vmlinuz-${version}`), join(to, 'vmlinuz'));
  await rm(join(root, 'boot'), { recursive: true });
  return { version, modules: join(folder, version) };
}
