import { access, constants, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { recipeDigest } from '../recipe/load.ts';
import type { Recipe } from '../recipe/schema.ts';
import { ARCHITECTURES } from '../support/architecture.ts';
import { SextantError, withPlace } from '../support/errors.ts';
import { writeFileAtomically } from '../support/files.ts';
import type { Lock } from './types.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const blob = z.strictObject({
  url: z.string().min(1),
  size: z.number().int().nonnegative(),
  sha256: digest,
  checkedAgainst: z.string().optional(),
});
const packages = z.strictObject({
  suite: z.string(),
  packages: z.array(z.string()),
  inputs: z.array(blob),
  snapshot: z.string().optional(),
});
const byArchitecture = <T extends z.ZodType>(value: T) => z.partialRecord(z.enum(ARCHITECTURES), value);
const lockSchema = z.strictObject({
  lockVersion: z.literal(1),
  recipe: digest,
  distribution: z.strictObject({ name: z.string(), version: z.string() }),
  tools: z.strictObject({
    go: z.strictObject({ version: z.string().regex(/^go\d/) }).optional(),
    erofs: byArchitecture(packages),
    qemu: byArchitecture(packages),
    hookRoot: byArchitecture(packages),
  }),
  architectures: byArchitecture(
    z.strictObject({
      components: z.array(
        z.strictObject({
          name: z.string(),
          type: z.enum(['github-release', 'url', 'go-module', 'debian', 'oci', 'file']),
          version: z.string(),
          definition: digest.optional(),
          inputs: z.array(blob),
          detail: z.record(z.string(), z.unknown()).optional(),
        }),
      ),
      hookDownloads: z.array(blob),
    }),
  ),
});

/** `sextant.yaml` -> `sextant.lock.json`, next to the recipe; of one release of a matrix `sextant.ID.lock.json`. */
export function lockFileOf(recipeFile: string, variant?: string): string {
  const base = recipeFile.replace(/\.ya?ml$/, '');
  return `${base}${variant === undefined ? '' : `.${variant}`}.lock.json`;
}

/** The lock in a file, or undefined where there is none. A file that is no lock of this version is an `input` error. */
export async function readLock(file: string): Promise<Lock | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(file, `not JSON: ${(error as Error).message}`);
  }
  const version = (value as { lockVersion?: unknown } | null)?.lockVersion;
  if (typeof version === 'number' && version !== 1) {
    throw new SextantError(
      'input',
      `${file}: lock version ${version} is not known to this sextant, which reads 1`,
      {
        hint: 'use the newer sextant that wrote it, or remove the file and run `sextant lock`',
      },
    );
  }
  const parsed = lockSchema.safeParse(value);
  if (parsed.success) return parsed.data as Lock;
  const first = parsed.error.issues[0];
  throw unreadable(file, `${first?.path.join('.')}: ${first?.message}`);
}

function unreadable(file: string, why: string): SextantError {
  return new SextantError('input', `${file}: not a sextant lock (${why})`, {
    hint: 'restore the file from version control, or remove it and run `sextant lock`',
  });
}

/** The lock as text: the schema's order whoever made the value, one fetched file a line, so that a change reads as a diff. */
export function lockText(lock: Lock): string {
  const held: string[] = [];
  const marked = JSON.stringify(
    lockSchema.parse(lock),
    (_key, value: unknown) => {
      if (isBlob(value)) return `\u0000${held.push(JSON.stringify(value)) - 1}\u0000`;
      return value;
    },
    1,
  );
  return `${marked.replace(/"\\u0000(\d+)\\u0000"/g, (_whole, index: string) => held[Number(index)] ?? '')}\n`;
}

function isBlob(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'sha256' in value && 'url' in value;
}

export async function writeLock(file: string, lock: Lock): Promise<void> {
  await writeFileAtomically(file, lockText(lock));
}

/** Throws `filesystem` where a lock cannot be written: to be told before everything is fetched, not after. */
export async function requireWritable(file: string): Promise<void> {
  try {
    await access(dirname(file), constants.W_OK);
  } catch (error) {
    throw withPlace(error, file, dirname(file));
  }
}

/** Why a lock does not fit a recipe, or undefined when it does. */
export function staleness(lock: Lock, recipe: Recipe): string | undefined {
  if (lock.recipe !== recipeDigest(recipe)) return 'the recipe has changed since it was locked';
  const missing = recipe.architectures.filter((architecture) => !lock.architectures[architecture]);
  return missing.length === 0 ? undefined : `it does not hold ${missing.join(' and ')}`;
}
