import { randomUUID } from 'node:crypto';
import { appendFile, copyFile, open, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createKey, type KeyFiles } from '../../release/keys/create.ts';
import { writeTrustedBootFiles } from '../../release/keys/trusted-boot.ts';
import { MIB, makeDisk, partition } from '../stand-in/disk.ts';
import type { TrustedGuest } from './guest.ts';
import type { BootTools } from './tools.ts';

/** As the command line of Kairos' own UKIs (AuroraBoot, pkg/constants), with the serial console last. */
export const COMMAND_LINE = [
  'console=tty1',
  'console=ttyS0',
  'net.ifnames=1',
  'rd.immucore.oemlabel=COS_OEM',
  'rd.immucore.oemtimeout=10',
  'rd.immucore.uki',
  'selinux=0',
  'panic=5',
  'rd.shell=0',
  'systemd.crash_reboot=yes',
].join(' ');

/** On the command line of the UKI that must not start. */
export const FOREIGN_MARK = 'sextant.foreign';

/** What an installed Kairos UKI system has on its ESP, beside what is signed. */
export const LOADER_FILES: Readonly<Record<string, string>> = {
  'loader/loader.conf': 'default active.conf\ntimeout 1\nsecure-boot-enroll if-safe\n',
  'loader/entries/active.conf': 'title Debian (stands in for Kairos)\nefi /EFI/kairos/active.efi\n',
};

const ESP_TYPE = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const ESP = partition('EFI', MIB, 320 * MIB, ESP_TYPE);

/** The disk of the guest: what a Kairos UKI install has of partitions and is not encrypted here. */
export const PARTITIONS = [
  ESP,
  partition('COS_OEM', 321 * MIB, 64 * MIB),
  partition('COS_PERSISTENT', 385 * MIB, 3072 * MIB),
];
const DISK_SIZE = 3458 * MIB;

/** Where sd-boot finds the lists to enroll; each is signed by the key above it, PK by itself (UEFI 2.10, 8.2.2). */
const SIGNED_BY = { PK: 'PK', KEK: 'PK', db: 'KEK' } as const;
const VARIABLES = ['PK', 'KEK', 'db'] as const;

/**
 * The operating system's keys and variables, as AuroraBoot makes them: `PK.key`, `KEK.key`, `db.key` in `work`, RSA with 2048 bits, and a
 * signed list of each. The release's certificate gets into db as docs/trust.md says: the list that `sextant key show --trusted-boot` writes
 * is appended to the db that the operating system brings. Gives the ESP's files, by their names in `work`.
 */
async function makeVariables(
  work: string,
  tools: BootTools,
  certificate: string,
): Promise<Record<string, string>> {
  const owner = randomUUID();
  for (const name of VARIABLES) {
    await makeKey(work, name);
    await tools.run(work, ['cert-to-efi-sig-list', '-g', owner, `${name}.crt`, `${name}.esl`]);
  }
  await writeTrustedBootFiles(certificate, join(work, 'trusted-boot'));
  await appendFile(join(work, 'db.esl'), await readFile(join(work, 'trusted-boot', 'db.esl')));
  const made: Record<string, string> = {};
  for (const name of VARIABLES) {
    const signer = SIGNED_BY[name];
    const by = ['-g', owner, '-k', `${signer}.key`, '-c', `${signer}.crt`];
    await tools.run(work, ['sign-efi-sig-list', ...by, name, `${name}.esl`, `${name}.auth`]);
    made[`loader/keys/auto/${name}.auth`] = `${name}.auth`;
  }
  return made;
}

function makeKey(work: string, name: string): Promise<KeyFiles> {
  const commonName = `Sextant lab ${name}`;
  return createKey({ name: join(work, name), commonName, bits: 2048, days: 30, encrypt: false });
}

/** What ukify makes of the guest's parts in `work`: a unified kernel image signed by one of the keys there. */
export function ukifyArguments(key: string, commandLine: string, output: string): string[] {
  return [
    'ukify',
    'build',
    '--linux=vmlinuz',
    '--initrd=initrd',
    '--os-release=@os-release',
    `--cmdline=${commandLine}`,
    // For the boot menu only; else the kernel is unpacked to look for it.
    '--uname=debian',
    '--stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub',
    '--signtool=sbsign',
    `--secureboot-private-key=${key}.key`,
    `--secureboot-certificate=${key}.crt`,
    `--output=${output}`,
  ];
}

/** Writes a FAT file system with these files (path on it, name in `work`) over a partition of a disk. */
async function writeEsp(
  disk: string,
  work: string,
  tools: BootTools,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const image = `esp-${randomUUID()}.img`;
  await tools.run(work, ['mkfs.vfat', '-C', '-F', '32', '-n', 'EFI', image, String(ESP.size / 1024)]);
  const folders = foldersOf(Object.keys(files)).map((folder) => `::/${folder}`);
  await tools.run(work, ['mmd', '-i', image, ...folders]);
  for (const [path, name] of Object.entries(files))
    await tools.run(work, ['mcopy', '-i', image, name, `::/${path}`]);
  const from = await open(join(work, image), 'r');
  const to = await open(disk, 'r+');
  try {
    for (let at = 0; at < ESP.size; at += 4 * MIB) {
      const { buffer, bytesRead } = await from.read(Buffer.alloc(4 * MIB), 0, 4 * MIB, at);
      if (!buffer.every((byte) => byte === 0)) await to.write(buffer, 0, bytesRead, ESP.offset + at);
    }
  } finally {
    await from.close();
    await to.close();
  }
}

/** The folders of these paths, each after the one that it is in. */
export function foldersOf(paths: readonly string[]): string[] {
  const folders = paths.flatMap((path) => {
    const parts = path.split('/').slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [...new Set(folders)].sort();
}

export interface Media {
  /** Raw disk that the guest's own system is on; nobody may write it. */
  readonly own: string;
  /** The same unified kernel image, signed by a key that is not enrolled, as what a firmware starts first. */
  readonly foreign: string;
}

/**
 * Puts the disks together in `to`: sd-boot and the guest's UKI, both signed by the operating system's key, and the keys that sd-boot enrolls
 * at the first start, with the release's certificate among them. Private keys are made in `work`, where they stay.
 */
export async function makeMedia(
  { work, to, certificate }: { readonly work: string; readonly to: string; readonly certificate: string },
  tools: BootTools,
  guest: TrustedGuest,
  signal: AbortSignal,
): Promise<Media> {
  const variables = await makeVariables(work, tools, certificate);
  await makeKey(work, 'foreign');
  await copyFile(guest.kernel, join(work, 'vmlinuz'));
  await copyFile(guest.initrd, join(work, 'initrd'));
  await copyFile(guest.osRelease, join(work, 'os-release'));
  await tools.run(work, ukifyArguments('db', COMMAND_LINE, 'active.efi'));
  await tools.run(work, ukifyArguments('foreign', `${COMMAND_LINE} ${FOREIGN_MARK}`, 'foreign.efi'));
  const loader = '/usr/lib/systemd/boot/efi/systemd-bootx64.efi';
  await tools.run(work, ['sbsign', '--key', 'db.key', '--cert', 'db.crt', '--output', 'loader.efi', loader]);
  for (const [path, content] of Object.entries(LOADER_FILES))
    await writeFile(join(work, basename(path)), content);
  const [own, foreign] = [join(to, 'own.raw'), join(to, 'foreign.raw')];
  await makeDisk(own, 'sextant-lab-trusted-boot', DISK_SIZE, PARTITIONS, {}, signal);
  await writeEsp(own, work, tools, {
    ...variables,
    ...Object.fromEntries(Object.keys(LOADER_FILES).map((path) => [path, basename(path)])),
    'EFI/BOOT/BOOTX64.EFI': 'loader.efi',
    'EFI/kairos/active.efi': 'active.efi',
  });
  await makeDisk(foreign, 'sextant-lab-foreign', ESP.offset + ESP.size + MIB, [ESP], {}, signal);
  await writeEsp(foreign, work, tools, { 'EFI/BOOT/BOOTX64.EFI': 'foreign.efi' });
  return { own, foreign };
}
