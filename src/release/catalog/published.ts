import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { ARCHITECTURES, type Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { jsonOrUndefined } from '../../support/json.ts';

// What `sextant publish oci://... --json` says; of it only the tags of images are looked at.
const reportSchema = z.looseObject({
  tags: z.array(
    z.looseObject({
      form: z.string().optional(),
      architecture: z.enum(ARCHITECTURES).optional(),
      reference: z.string(),
    }),
  ),
});

/**
 * References by digest of the raw artifacts that were published, by architecture: what Kairos' catalogs name. `text` is what `sextant publish
 * --json` wrote, `where` names it for people. Throws `input` for anything else, and for a report without a raw artifact.
 */
export function publishedReferences(text: string, where: string): Partial<Record<Architecture, string>> {
  const { success, data } = reportSchema.safeParse(jsonOrUndefined(text));
  const references: Partial<Record<Architecture, string>> = {};
  for (const { form, architecture, reference } of success ? data.tags : []) {
    if (form === 'raw' && architecture !== undefined) references[architecture] = reference;
  }
  if (Object.keys(references).length > 0) return references;
  throw new SextantError('input', `${where}: does not say where an artifact in the raw form was published`, {
    hint: 'give what `sextant publish oci://... --json` wrote, or the references themselves with --oci',
  });
}

/** The same of a file. */
export async function readPublished(file: string): Promise<Partial<Record<Architecture, string>>> {
  return publishedReferences(await readFile(file, 'utf8'), file);
}
