import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { goBuilder } from '../../sources/go-module/index.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { buildProgram, PROGRAMS } from '../core/programs.ts';
import { extractPackages } from '../machine/debian.ts';

export const PACKAGES = [
  'linux-image-arm64',
  'busybox-static',
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

/** Kairos' own configuration that the guest has, of kairos-init: its services for the stages, and its settings of systemd-sysext. */
const KAIROS_CONFIGURATION = ['09_systemd_services.yaml', '99_sysext.yaml'];

/** What Debian's maintainer scripts would have left, as far as the guest needs it; users come from systemd-sysusers. */
export const FILES: Readonly<Record<string, string>> = {
  '/etc/hostname': 'arm64\n',
  '/etc/hosts': '127.0.0.1 localhost arm64\n',
  '/etc/machine-id': `${'a'.repeat(32)}\n`,
  '/etc/fstab': '',
  // QEMU's user network; names are not resolved.
  '/etc/systemd/network/10-lab.network':
    '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n',
};

const UNITS = '/usr/lib/systemd/system';
export const LINKS: Readonly<Record<string, string>> = {
  '/var/run': '/run',
  '/etc/systemd/system/multi-user.target.wants/network-online.target': `${UNITS}/network-online.target`,
  '/etc/systemd/system/multi-user.target.wants/systemd-networkd.service': `${UNITS}/systemd-networkd.service`,
  '/etc/systemd/system/network-online.target.wants/systemd-networkd-wait-online.service': `${UNITS}/systemd-networkd-wait-online.service`,
};

const FOLDERS = [
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

/**
 * An arm64 Debian root with the real kairos-agent and Kairos' settings of systemd-sysext in the new folder `root`; nothing of it is run
 * on the way. Needs root, for the owners of files. Throws `usage` without it.
 */
export async function makeArm64Root(root: string, work: string, context: Context): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new SextantError('usage', 'making the arm64 guest needs root', {
      hint: 'run as root once (the guest is cached)',
    });
  }
  await inStep(context.progress, 'Debian for arm64', () => extractPackages(root, PACKAGES, context, 'arm64'));
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true });
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  for (const [path, target] of Object.entries(LINKS)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await rm(join(root, path), { recursive: true, force: true });
    await symlink(target, join(root, path));
  }
  const go = await goBuilder(context, 'arm64');
  await inStep(context.progress, 'kairos-agent for arm64', () =>
    buildProgram(go, 'kairos-agent', work, join(root, 'usr/bin/kairos-agent')),
  );
  const source = join(work, 'kairos-init-source');
  await go.copyModule(PROGRAMS['kairos-init'], source);
  for (const name of KAIROS_CONFIGURATION)
    await copyFile(join(source, 'pkg/bundled/cloudconfigs', name), join(root, 'system/oem', name));
}
