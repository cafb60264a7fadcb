import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { isAddress, isRegistryPlace } from '../address.ts';
import { readContents } from './contents.ts';
import { readCatalog } from './fetch.ts';
import type { CatalogFolder } from './folder.ts';
import { kairosMirror, kairosText } from './kairos.ts';
import { isSignedBy, trustedKeys } from './signature.ts';
import { CATALOG_FILE, KAIROS_FILE } from './types.ts';

export interface CheckOptions {
  /** PEM file with the certificates or public keys that may have signed it. */
  readonly trust?: string;
  /** Serial that was seen before: a smaller one is an old catalog. */
  readonly seen?: number;
}

export interface CheckedCatalog extends CatalogFolder {
  /** `trusted`: by a given key; `present`: not held against one; `none`. */
  readonly signed: 'trusted' | 'present' | 'none';
  /** Files in `contents/` that were read and are what the catalog says. 0 for an address. */
  readonly contents: number;
  /** HOST/REPOSITORY of the mirror that the folder's `releases.json` names in place of the catalog's own registries. */
  readonly mirror?: string;
}

/**
 * Holds a catalog against its signature and what lies beside it. Throws `verification` for a signature that does not fit or is missing where
 * a key is given, for a catalog older than the one seen, and for a file of a folder that is not the catalog's.
 */
export async function checkCatalog(
  place: string,
  options: CheckOptions,
  context: Context,
): Promise<CheckedCatalog> {
  const found = await readCatalog(place, context);
  const isFolder = !isAddress(place) && !isRegistryPlace(place);
  const where = isFolder ? join(place, CATALOG_FILE) : place;
  const signed = await signatureState(found, where, options.trust);
  if (options.seen !== undefined && found.catalog.serial < options.seen) {
    throw new SextantError(
      'verification',
      `${where}: has serial ${found.catalog.serial}, ${options.seen} was seen before: it is an old catalog`,
      { hint: 'ask whoever serves it why; a cache on the way may hold an old copy' },
    );
  }
  if (!isFolder) return { ...found, signed, contents: 0 };
  const kairos = join(place, KAIROS_FILE);
  const text = await readFile(kairos, 'utf8').catch(() => '');
  const mirror = kairosMirror(text, found.catalog);
  if (mirror === undefined && text !== kairosText(found.catalog)) {
    throw new SextantError('verification', `${kairos}: is not what the catalog says`, {
      hint: 'write both anew: any `sextant catalog add` or `yank` does',
    });
  }
  let contents = 0;
  for (const image of new Map(
    found.catalog.releases.flatMap(({ images }) => images.map((one) => [one.contents, one])),
  ).values()) {
    context.signal.throwIfAborted();
    await readContents(place, image);
    contents += 1;
  }
  return { ...found, signed, contents, ...(mirror === undefined ? {} : { mirror }) };
}

/** How a catalog is signed. Throws `verification` where keys are given and none of them signed it. */
export async function signatureState(
  { bytes, signature }: CatalogFolder,
  where: string,
  trust: string | undefined,
): Promise<CheckedCatalog['signed']> {
  if (trust === undefined) return signature === undefined ? 'none' : 'present';
  const keys = await trustedKeys(trust);
  if (signature === undefined) {
    throw new SextantError('verification', `${where}: is not signed (no ${CATALOG_FILE}.sig beside it)`, {
      hint: 'sign it: any `sextant catalog add` or `yank` with --key does',
    });
  }
  if (!isSignedBy(bytes, signature, keys)) {
    throw new SextantError('verification', `${where}: is not signed by ${trust}, or was changed since`, {
      hint: 'another key signed it, or the file is cut short; fetch both files again',
    });
  }
  return 'trusted';
}
