import { isInRegistry, type ReleasePlace } from '../download/address.ts';
import { Failure } from '../failure.ts';

/**
 * Where a release of a catalog is: its address, taken from the catalog's own where it is relative. Throws `input` for a relative one in a catalog
 * of a registry, which is no folder.
 */
export function listedPlace(catalog: string, address: string): ReleasePlace {
  if (isInRegistry(address)) return { kind: 'registry', release: address };
  if (/^https?:\/\//.test(address)) return { kind: 'address', release: `${trimmed(address)}/release.json` };
  if (isInRegistry(catalog))
    throw new Failure(
      'input',
      `${catalog}: says where the release is relative to a folder (${address}), and it is in a registry`,
      'set catalog.mirror to where the releases are: oci://HOST/REPOSITORY',
    );
  const [, root = '', path = '', query = ''] = /^(https?:\/\/[^/?#]+)?([^?#]*)(\?[^#]*)?/.exec(catalog) ?? [];
  const folders = path.split('/').slice(1, -1);
  for (const part of trimmed(address).split('/')) {
    if (part === '..') folders.pop();
    else if (part !== '.' && part !== '') folders.push(part);
  }
  const release = `${root}/${[...folders, 'release.json'].join('/')}`;
  return root === '' ? { kind: 'file', release } : { kind: 'address', release: `${release}${query}` };
}

/** Where a release is in what `sextant mirror` filled: below `releases/` of a folder, under its version's tag in a repository. */
export function mirroredPlace(
  mirror: string,
  { distribution, version }: { readonly distribution: string; readonly version: string },
): ReleasePlace {
  if (isInRegistry(mirror))
    return { kind: 'registry', release: `${mirror}:${version.replace(/[^\w.-]/g, '-')}` };
  const isFolder = mirror.startsWith('/');
  const name = `${distribution}-${version}`;
  const release = `${trimmed(mirror)}/releases/${isFolder ? name : encodeURIComponent(name)}/release.json`;
  return { kind: isFolder ? 'file' : 'address', release };
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, '');
}
