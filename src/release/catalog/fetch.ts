import { readFile } from 'node:fs/promises';
import { statusError, withRetries } from '../../sources/attempts.ts';
import { ask } from '../../sources/transport.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { redact } from '../../support/http.ts';
import { parseReference } from '../../support/registry/reference.ts';
import { systemClock } from '../../support/retry.ts';
import { isAddress, isRegistryPlace } from '../address.ts';
import { openForReading, type PulledManifest, type PulledRepository } from '../registry/pull.ts';
import { type CatalogFolder, readCatalogFolder } from './folder.ts';
import { LARGEST_CATALOG, parseCatalog } from './schema.ts';
import { CATALOG_FILE, SIGNATURE_FILE } from './types.ts';

/** The catalog in a folder, at an http(s) address (its folder or the file itself), or in a registry, with its signature. */
export async function readCatalog(place: string, context: Context): Promise<CatalogFolder> {
  if (isRegistryPlace(place)) return pulledCatalog(place, context);
  if (!isAddress(place)) return readCatalogFolder(place);
  const file = catalogFile(place);
  const bytes = await fetchSmall(file, LARGEST_CATALOG, context.signal);
  if (bytes === undefined) {
    throw new SextantError('network', `${redact(file)}: the server has no such file`, {
      hint: 'check the address of the catalog',
    });
  }
  const signature = await fetchSmall(`${file}.sig`, 64 * 1024, context.signal);
  return { folder: place, catalog: parseCatalog(bytes.toString('utf8'), redact(file)), bytes, signature };
}

/** The catalog's own file at an address that may be its folder's. */
export function catalogFile(place: string): string {
  return place.endsWith('.json') ? place : `${place.replace(/\/+$/, '')}/${CATALOG_FILE}`;
}

/** The artifact of a catalog in a registry (oci://HOST/REPOSITORY:TAG), as `sextant mirror` puts it there. */
export async function catalogArtifact(
  place: string,
  context: Context,
): Promise<{ readonly from: PulledRepository; readonly manifest: PulledManifest }> {
  const reference = parseReference(place);
  const from = openForReading(reference, context);
  return { from, manifest: await from.manifest(reference.target) };
}

async function pulledCatalog(place: string, context: Context): Promise<CatalogFolder> {
  const found = await findPulledCatalog(place, context);
  if (found !== undefined) return found;
  throw new SextantError('input', `${place}: holds no ${CATALOG_FILE}`, {
    hint: 'name a catalog that `sextant mirror --catalog` put there: oci://HOST/REPOSITORY:catalog',
  });
}

/** The catalog under a tag of a registry; undefined where what is there holds none. */
export async function findPulledCatalog(place: string, context: Context): Promise<CatalogFolder | undefined> {
  const { from, manifest } = await catalogArtifact(place, context);
  const held = async (name: string, limit: number) => {
    const found = manifest.files.get(name);
    if (found === undefined) return undefined;
    if (found.size !== undefined && found.size <= limit) return readFile(await from.blob(found));
    throw new SextantError('input', `${place}: ${name} is longer than ${limit} bytes, so no catalog`, {
      hint: 'check the tag: something else is under it',
    });
  };
  const bytes = await held(CATALOG_FILE, LARGEST_CATALOG);
  if (bytes === undefined) return undefined;
  const signature = await held(SIGNATURE_FILE, 64 * 1024);
  return { folder: place, catalog: parseCatalog(bytes.toString('utf8'), place), bytes, signature };
}

/** A small file whole in memory; undefined where the server has none. Longer than `limit` bytes is `input`. */
async function fetchSmall(address: string, limit: number, signal: AbortSignal): Promise<Buffer | undefined> {
  return withRetries({ clock: systemClock, signal }, async () => {
    const answer = await ask(address, [], { signal });
    if (answer.status >= 400) {
      await answer.discard();
      if (answer.status === 404 || answer.status === 410) return undefined;
      throw statusError(redact(address), answer);
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of answer.body) {
      size += piece.length;
      if (size > limit) {
        throw new SextantError('input', `${redact(address)}: is longer than ${limit} bytes, so no catalog`, {
          hint: 'check the address; a login page or another file may answer there',
        });
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  });
}
