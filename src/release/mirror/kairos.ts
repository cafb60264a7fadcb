import { z } from 'zod';
import { jsonOrUndefined } from '../../support/json.ts';
import { tagOfVersion } from '../../support/registry/blob-address.ts';
import { mirroredKairosText } from '../catalog/kairos.ts';
import type { Catalog } from '../catalog/types.ts';
import type { Repository } from '../registry/client.ts';
import { readManifest, resolveTags } from '../registry/manifests.ts';
import { RAW_SYSEXT } from '../registry/media-types.ts';

const rawArtifact = z.looseObject({
  artifactType: z.literal(RAW_SYSEXT),
  layers: z.tuple([z.looseObject({ digest: z.string() })]),
});

/**
 * `releases.json` for a catalog whose releases this repository holds: all that `sextant mirror` or `sextant publish` has put there so far, each found by the
 * tag of its version and taken only when the artifact is the very image of the catalog.
 */
export async function kairosTextFor(catalog: Catalog, repository: Repository): Promise<string> {
  const wanted = catalog.releases
    .filter(({ yanked }) => yanked === undefined)
    .flatMap(({ version, images }) =>
      images.map(({ architecture, sha256 }) => ({ tag: `${tagOfVersion(version)}-${architecture}`, sha256 })),
    );
  const there = await resolveTags(repository, [...new Set(wanted.map(({ tag }) => tag))]);
  const artifacts = new Map<string, string>();
  for (const { tag, sha256 } of wanted) {
    const digest = there.get(tag);
    if (digest === undefined) continue;
    const found = await readManifest(repository, digest);
    if (found !== undefined && heldImage(found.text) === sha256) artifacts.set(sha256, digest);
  }
  return mirroredKairosText(catalog, repository.name, artifacts);
}

/** SHA-256 of the image that an artifact in the raw form holds; undefined for anything else. */
function heldImage(manifest: string): string | undefined {
  return rawArtifact.safeParse(jsonOrUndefined(manifest)).data?.layers[0].digest.replace(/^sha256:/, '');
}
