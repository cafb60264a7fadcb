import { Failure } from '../failure.ts';
import { otherTag, registryPlace } from './registry.ts';
import { shownAddress } from './shown-address.ts';

/**
 * Where a release is: at an http(s) address, in a folder of this machine (both name the `release.json` itself), or in an OCI registry
 * (oci://HOST/REPOSITORY:TAG).
 */
export interface ReleasePlace {
  readonly kind: 'address' | 'file' | 'registry';
  readonly release: string;
  /** Address of the image, where that is known and the release's own description is not asked for. */
  readonly image?: string;
}

/** A release that runs, as the store remembers it: the image's address, and its version. */
export interface KnownRelease {
  /** Address of the image; empty where nobody knows it. */
  readonly url: string;
  readonly version: string;
}

/**
 * The place that `--to` means: a version of the known release's address, an address or folder of a release, or the `release.json` itself.
 * Without `--to` the address that is known. Throws `usage` or `input` for what is none of them.
 */
export function releasePlace(to: string | undefined, known: KnownRelease | undefined): ReleasePlace {
  if (to === undefined) {
    const url = knownUrl(known);
    return isInRegistry(url) ? inRegistry(url) : { kind: 'address', release: besideImage(url) };
  }
  if (isInRegistry(to)) return inRegistry(to);
  if (/^https?:\/\//.test(to)) return { kind: 'address', release: releaseFile(to) };
  if (/^[a-z][a-z0-9+.-]*:/.test(to))
    throw new Failure(
      'usage',
      `${to}: not an http or https address`,
      'name http(s)://..., a file or a version',
    );
  if (to.includes('/') || to.endsWith('.json')) return { kind: 'file', release: fileOfRelease(to) };
  if (/^v?\d+\.\d+/.test(to)) {
    const release = otherVersion(to, known);
    return isInRegistry(release) ? inRegistry(release) : { kind: 'address', release };
  }
  throw new Failure(
    'usage',
    `${to}: neither a version, an address nor a path`,
    'for example v1.33.5+k3s1, https://HOST/FOLDER/release.json or ./release.json',
  );
}

/** The versions' texts are compared without regard to a leading "v". */
export function sameVersion(left: string, right: string): boolean {
  return left.replace(/^v/, '') === right.replace(/^v/, '');
}

function knownUrl(known: KnownRelease | undefined): string {
  if (known?.url) return known.url;
  throw new Failure(
    'input',
    'the address that the running release came from is not known',
    'name the new one: --to https://HOST/FOLDER/release.json; later ones are then found by version',
  );
}

/** Whether an address says that it is in a registry. */
export function isInRegistry(text: string): boolean {
  return /^oci(?:\+http)?:/.test(text);
}

function inRegistry(text: string): ReleasePlace {
  registryPlace(text); // Throws for what is none.
  return { kind: 'registry', release: text };
}

function besideImage(url: string): string {
  const [path = '', query] = url.split('?', 2);
  return `${path.slice(0, path.lastIndexOf('/'))}/release.json${query === undefined ? '' : `?${query}`}`;
}

function releaseFile(address: string): string {
  const [path = '', query] = address.split('?', 2);
  const full = path.endsWith('.json') ? path : `${path.replace(/\/+$/, '')}/release.json`;
  return query === undefined ? full : `${full}?${query}`;
}

function fileOfRelease(path: string): string {
  if (path.endsWith('.raw'))
    throw new Failure(
      'usage',
      `${path}: an image alone has no digest and root hash to check it against`,
      'name the folder that holds it together with its release.json',
    );
  return path.endsWith('.json') ? path : `${path.replace(/\/+$/, '')}/release.json`;
}

/** The known address with its version exchanged, plain and percent-encoded, in every place. */
function otherVersion(version: string, known: KnownRelease | undefined): string {
  const url = knownUrl(known);
  const release = isInRegistry(url) ? url : besideImage(url);
  const old = (known?.version ?? '').replace(/^v/, '');
  const now = version.replace(/^v/, '');
  const changed = isInRegistry(url)
    ? (otherTag(url, old, now) ?? release)
    : old === ''
      ? release
      : release.replaceAll(old, now).replaceAll(encodeURIComponent(old), encodeURIComponent(now));
  if (changed === release && old !== now)
    throw new Failure(
      'input',
      `${shownAddress(release)}: where the running release came from has no version in it that could be exchanged`,
      'name the address: --to https://HOST/FOLDER/release.json',
    );
  return changed;
}
