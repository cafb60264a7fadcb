import { sha256OfText } from '../digest.ts';
import type { Host } from '../host/host.ts';
import type { OsIdentity } from '../model/types.ts';
import { openExtImage } from './ext-image.ts';

/** An operating system on this node. */
export interface OperatingSystem {
  readonly os: OsIdentity;
  /** Name and version for people. */
  readonly name: string;
}

/** kairos-init writes the first; the second says what it is made from. Links are not followed in an image that is not mounted. */
const RELEASE_FILES = ['/etc/kairos-release', '/usr/lib/os-release'];

/**
 * The operating system in an image file or on a block device, read the same way whether it is booted or not: so what runs and what lies in
 * the other slot can be compared. Undefined for what is no ext file system or carries no release file.
 */
export function operatingSystemIn(host: Host, path: string): OperatingSystem | undefined {
  const image = openExtImage((offset, length) => host.readBytes(path, offset, length));
  if (image === undefined) return undefined;
  const texts = RELEASE_FILES.map((file) => image.readFile(file)).map((bytes) => bytes && host.decode(bytes));
  return identity(host, image.uuid, texts);
}

/** The operating system that runs, where its root is no such image (trusted boot keeps it in memory): by its release files alone. */
export function operatingSystemByRelease(host: Host): OperatingSystem {
  const texts = RELEASE_FILES.map((file) => host.readText(file));
  return identity(host, 'none', texts) ?? { os: 'none-unknown', name: 'an unknown operating system' };
}

function identity(
  host: Host,
  uuid: string,
  texts: readonly (string | undefined)[],
): OperatingSystem | undefined {
  const found = texts.filter((text) => text !== undefined);
  if (found.length === 0) return undefined;
  const digest = sha256OfText(host, found.join('\n'));
  return { os: `${uuid}-${digest}`, name: releaseName(found.join('\n')) };
}

/** `kairos-core-debian-13 v4.1.0`; without Kairos' own names what os-release calls it. */
export function releaseName(text: string): string {
  const value = (name: string) => new RegExp(`^${name}=(["']?)(.*)\\1$`, 'm').exec(text)?.[2] || undefined;
  const name = value('KAIROS_NAME') ?? value('PRETTY_NAME') ?? value('NAME') ?? 'unnamed operating system';
  const version = value('KAIROS_RELEASE') ?? value('KAIROS_VERSION');
  return version === undefined ? name : `${name} ${version}`;
}
