import { compareVersions } from '../../node/kubernetes/version-order.ts';
import { comparable, type ImageContents } from '../catalog/contents.ts';
import type { CatalogImage, CatalogRelease } from '../catalog/types.ts';
import { type Difference, difference } from '../difference.ts';

/** What changed since the release before. */
export interface Changes extends Difference {
  readonly before: CatalogRelease;
  readonly architecture: string;
}

/** The release that one follows: of the same extension and distribution the newest older one, a yanked one only where there is no other. */
export function predecessor(
  release: CatalogRelease,
  releases: readonly CatalogRelease[],
): CatalogRelease | undefined {
  const older = releases
    .filter(
      ({ name, distribution, version }) =>
        name === release.name &&
        distribution === release.distribution &&
        compareVersions(version, release.version) < 0,
    )
    .sort((a, b) => compareVersions(b.version, a.version));
  return older.find(({ yanked }) => yanked === undefined) ?? older[0];
}

/** The difference between two releases, of the first architecture that both have. */
export async function changesSince(
  before: CatalogRelease,
  release: CatalogRelease,
  read: (image: CatalogImage) => Promise<ImageContents>,
): Promise<Changes | undefined> {
  for (const image of release.images) {
    const old = before.images.find(({ architecture }) => architecture === image.architecture);
    if (old === undefined) continue;
    const [a, b] = [comparable(old, await read(old)), comparable(image, await read(image))];
    return { before, architecture: image.architecture, ...(await difference(a, b)) };
  }
  return undefined;
}
