import { minor } from '../../node/model/datastore.ts';
import type { CatalogRelease } from '../catalog/types.ts';

/** `1.36` of `v1.36.3+k3s1`. */
export function minorOf({ version }: Pick<CatalogRelease, 'version'>): string {
  const number = minor(version);
  return `${Math.floor(number / 1000)}.${number % 1000}`;
}

/** File name of a release's page: `provider-kairos-v1.36.3_k3s1.html`. No plus sign: some hosts read one in an address as a space. */
export function pageName({ name, version }: Pick<CatalogRelease, 'name' | 'version'>): string {
  return `${name}-${version.replace(/[^\w.-]/g, '_')}.html`;
}

/** `k3s` and so on, as people write them. */
export function architectures({ images }: Pick<CatalogRelease, 'images'>): string {
  return images.map(({ architecture }) => architecture).join(', ');
}

/** True when every image is signed. */
export function isSigned({ images }: Pick<CatalogRelease, 'images'>): boolean {
  return images.every(({ signature }) => signature !== undefined);
}
