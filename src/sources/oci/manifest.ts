import { z } from 'zod';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';

// OCI image specification 1.1 ("Image Manifest", "Image Index", "Descriptors") and Docker's schema 2, which is the same to us.

export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'only sha256 digests are supported'),
  size: z.number().int().min(0),
  annotations: z.record(z.string(), z.string()).default({}),
});
const index = z.object({
  manifests: z.array(
    descriptor.extend({
      platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });

export type Descriptor = z.output<typeof descriptor>;
export type Manifest = z.output<typeof manifest>;

/** A manifest, or the descriptor of the manifest to read instead: an index names one for each architecture. Throws `input`. */
export function parseManifest(
  text: string,
  reference: string,
  architecture: Architecture,
): { readonly manifest: Manifest } | { readonly next: Descriptor } {
  const refuse = (why: string, details?: string) =>
    new SextantError('input', `${reference}: ${why}`, {
      hint: 'check the reference in the recipe',
      ...(details === undefined ? {} : { details }),
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse('the manifest is not JSON');
  }
  const asIndex = index.safeParse(value);
  if (asIndex.success) {
    const { manifests } = asIndex.data;
    const next = manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
    );
    if (next !== undefined) return { next };
    const known = manifests.flatMap(({ platform }) =>
      platform ? [`${platform.os}/${platform.architecture}`] : [],
    );
    throw refuse(`it has nothing for linux/${architecture}, only for ${known.join(', ') || 'no platform'}`);
  }
  const asManifest = manifest.safeParse(value);
  if (!asManifest.success) throw refuse('not an OCI or Docker manifest', z.prettifyError(asManifest.error));
  return { manifest: asManifest.data };
}

export const TITLE = 'org.opencontainers.image.title';

/** Layers that a recipe's `layer` (media type or title) takes; all without it. Throws `input` naming what there is. */
export function selectLayers(
  { layers }: Manifest,
  wanted: string | undefined,
  reference: string,
): readonly Descriptor[] {
  const taken =
    wanted === undefined
      ? layers
      : layers.filter(({ mediaType, annotations }) => mediaType === wanted || annotations[TITLE] === wanted);
  if (taken.length > 0) return taken;
  const known = layers.map(({ mediaType, annotations }) => annotations[TITLE] ?? mediaType);
  throw new SextantError('input', `${reference}: no layer ${wanted ?? 'at all'}`, {
    hint: known.length === 0 ? 'check the reference in the recipe' : `it has: ${known.join(', ')}`,
  });
}
