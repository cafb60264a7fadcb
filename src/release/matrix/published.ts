import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { askText } from '../../sources/ask-text.ts';
import type { Mirror } from '../../sources/types.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256 } from '../../support/files.ts';
import { parseReference } from '../../support/registry/reference.ts';
import { isAddress, isRegistryPlace } from '../address.ts';
import { parseSums, SUMS } from '../checksums.ts';
import { openForReading } from '../registry/pull.ts';

/** What is at a place where a release is published. */
export type Published =
  | { readonly state: 'absent' }
  /** The very release: made from the same inputs, so of the same bytes. */
  | { readonly state: 'unchanged' }
  /** Another release, an unfinished one, or something else: it is to be published anew. */
  | { readonly state: 'other'; readonly why: string }
  | { readonly state: 'unknown'; readonly why: string };

const description = z.looseObject({
  inputs: z.looseObject({ build: z.string() }),
  images: z.array(z.looseObject({ file: z.string() })).min(1),
});

/**
 * Whether the release made from `build` (its inputs' digest) is published at a place: a folder, its address, or oci://HOST/REPOSITORY:TAG. Reads
 * release.json and SHA256SUMS alone: the sums have to name release.json as it is and every image. A server that does not answer makes it unknown.
 */
export async function publishedState(
  place: string,
  build: string,
  context: Context & { readonly mirrors?: readonly Mirror[] },
): Promise<Published> {
  let texts: Texts;
  try {
    if (isRegistryPlace(place)) {
      const held = await inRegistry(place, context);
      if (held === 'two releases') return { state: 'other', why: 'its tags belong to two releases' };
      texts = held;
    } else {
      const read = isAddress(place) ? reader(place, context) : (name: string) => readLocal(join(place, name));
      texts = { release: await read('release.json'), sums: await read(SUMS) };
    }
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof SextantError) || error.code !== 'network') throw error;
    return { state: 'unknown', why: error.message };
  }
  const { release, sums } = texts;
  if (release === undefined) return { state: 'absent' };
  if (sums === undefined) return { state: 'other', why: 'it has no SHA256SUMS' };
  return judge(release, sums, build, place);
}

interface Texts {
  readonly release: string | undefined;
  readonly sums: string | undefined;
}

/** What `sextant publish` put there: the tag that people use comes last, so that what it names is whole. */
async function inRegistry(place: string, context: Context): Promise<Texts | 'two releases'> {
  const reference = parseReference(place);
  const from = openForReading(reference, context);
  const [index, about] = [await from.find(reference.target), await from.find(`${reference.target}-release`)];
  if (index === undefined || about === undefined) return { release: undefined, sums: undefined };
  if (about.subject !== index.digest) return 'two releases';
  const read = async (name: string) => {
    const held = about.files.get(name);
    return held && (await readFile(await from.blob(held), 'utf8'));
  };
  return { release: await read('release.json'), sums: await read(SUMS) };
}

function judge(release: string, sums: string, build: string, place: string): Published {
  const other = (why: string): Published => ({ state: 'other', why });
  let listed: ReadonlyMap<string, string>;
  let found: z.output<typeof description>;
  try {
    listed = parseSums(sums, place);
    found = description.parse(JSON.parse(release));
  } catch {
    return other('its release.json or SHA256SUMS is none');
  }
  if (listed.get('release.json') !== sha256(release)) return other('its SHA256SUMS is of another release');
  const missing = found.images.find(({ file }) => !listed.has(file));
  if (missing !== undefined) return other(`its SHA256SUMS lacks ${missing.file}`);
  return found.inputs.build === build ? { state: 'unchanged' } : other('its inputs were others');
}

async function readLocal(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}

function reader(place: string, { signal, mirrors = [] }: Parameters<typeof publishedState>[2]) {
  const base = place.replace(/\/+$/, '');
  return async (name: string): Promise<string | undefined> => {
    const answer = await askText(
      `${base}/${name}`,
      { mirrors, frozen: false, signal },
      // Object stores without the right to list answer 403 for what is not there.
      { accept: [403, 404, 410], limit: 16 * 1024 * 1024 },
    );
    return answer.status < 400 ? answer.text : undefined;
  };
}
