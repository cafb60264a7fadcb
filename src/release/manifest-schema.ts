import { z } from 'zod';

/** What became of a file that stays in the image. */
export const KEPT = ['delivered', 'relocated', 'factory', 'added'] as const;

/**
 * What is read of what an extension holds, in its own manifest and in a catalog alike: written by another build, perhaps another version, so only what
 * is shown is looked at. `dispositions` are those that an entry may have, `most` how many entries there may be.
 */
export function heldFields(dispositions: readonly [string, ...string[]], most = Number.POSITIVE_INFINITY) {
  const entry = z.looseObject({
    path: z.string(),
    kind: z.enum(['file', 'folder', 'link']),
    mode: z.number(),
    size: z.number(),
    sha256: z.string().optional(),
    target: z.string().optional(),
    disposition: z.enum(dispositions),
    from: z.string().optional(),
    component: z.string(),
  });
  return {
    version: z.string(),
    components: z.array(
      z.looseObject({ name: z.string(), version: z.string().optional(), standin: z.boolean().optional() }),
    ),
    entries: z.array(entry).max(most),
  };
}
