import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ARCHITECTURES } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import type { Release } from './types.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const fileName = z.string().regex(/^[^/]+$/);
// Loose where only people read, strict where a program acts on it.
const releaseSchema = z.looseObject({
  schemaVersion: z.literal(1),
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  version: z.string(),
  distribution: z.string(),
  standin: z.boolean(),
  url: z.string(),
  inputs: z.looseObject({ build: digest }),
  images: z
    .array(
      z.looseObject({
        architecture: z.enum(ARCHITECTURES),
        file: fileName,
        size: z.number().int().positive(),
        sha256: digest,
        rootHash: digest,
        rootHashFile: fileName.optional(),
        sbom: fileName.optional(),
        cyclonedx: fileName.optional(),
      }),
    )
    .min(1),
  activation: fileName,
  provenance: fileName.optional(),
  certificate: fileName.optional(),
  publicKey: fileName.optional(),
  checksumsSignature: fileName.optional(),
  alsoTrust: z.array(fileName).optional(),
});

/** The release in a folder. A folder without release.json, or with one that is not ours, is an `input` error. */
export async function readRelease(folder: string): Promise<Release> {
  const file = join(folder, 'release.json');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new SextantError('input', `${folder}: there is no release here (no release.json)`, {
      hint: 'build one with `sextant build`, or name the folder that has it',
    });
  });
  return parseReleaseText(text, file);
}

/** The same of its text; `where` names it for people. */
export function parseReleaseText(text: string, where: string): Release {
  try {
    return releaseSchema.parse(JSON.parse(text)) as unknown as Release;
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? `${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`
        : (error as Error).message;
    throw new SextantError('input', `${where}: not a release description (${why})`, {
      hint: 'build the release again',
    });
  }
}
