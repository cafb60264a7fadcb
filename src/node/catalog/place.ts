import type { ReleasePlace } from '../download/address.ts';

/** Where a release of a catalog is: its address, taken from the catalog's own where it is relative. */
export function listedPlace(catalog: string, address: string): ReleasePlace {
  if (/^https?:\/\//.test(address)) return { kind: 'address', release: `${trimmed(address)}/release.json` };
  const [, root = '', path = '', query = ''] = /^(https?:\/\/[^/?#]+)?([^?#]*)(\?[^#]*)?/.exec(catalog) ?? [];
  const folders = path.split('/').slice(1, -1);
  for (const part of trimmed(address).split('/')) {
    if (part === '..') folders.pop();
    else if (part !== '.' && part !== '') folders.push(part);
  }
  const release = `${root}/${[...folders, 'release.json'].join('/')}`;
  return root === '' ? { kind: 'file', release } : { kind: 'address', release: `${release}${query}` };
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, '');
}
