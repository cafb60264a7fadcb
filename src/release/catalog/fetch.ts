import { statusError, withRetries } from '../../sources/attempts.ts';
import { ask } from '../../sources/transport.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { redact } from '../../support/http.ts';
import { systemClock } from '../../support/retry.ts';
import { isAddress } from '../address.ts';
import { type CatalogFolder, readCatalogFolder } from './folder.ts';
import { LARGEST_CATALOG, parseCatalog } from './schema.ts';
import { CATALOG_FILE } from './types.ts';

/** The catalog in a folder, or the one at an http(s) address (its folder or the file itself) with its signature. */
export async function readCatalog(place: string, context: Context): Promise<CatalogFolder> {
  if (!isAddress(place)) return readCatalogFolder(place);
  const file = place.endsWith('.json') ? place : `${place.replace(/\/+$/, '')}/${CATALOG_FILE}`;
  const bytes = await fetchSmall(file, LARGEST_CATALOG, context.signal);
  if (bytes === undefined) {
    throw new SextantError('network', `${redact(file)}: the server has no such file`, {
      hint: 'check the address of the catalog',
    });
  }
  const signature = await fetchSmall(`${file}.sig`, 64 * 1024, context.signal);
  return { folder: place, catalog: parseCatalog(bytes.toString('utf8'), redact(file)), bytes, signature };
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
