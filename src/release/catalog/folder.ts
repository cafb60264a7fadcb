import type { KeyObject } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { writeFileAtomically } from '../../support/files.ts';
import { contentsFile, contentsPath, type ImageContents } from './contents.ts';
import { kairosText } from './kairos.ts';
import { LARGEST_CATALOG, parseCatalog } from './schema.ts';
import { isSignedBy, publicPart, signBytes } from './signature.ts';
import { CATALOG_FILE, type Catalog, KAIROS_FILE, SIGNATURE_FILE } from './types.ts';

/** A catalog as it lies in a folder. */
export interface CatalogFolder {
  readonly folder: string;
  readonly catalog: Catalog;
  /** Its very bytes, which the signature is over. */
  readonly bytes: Buffer;
  readonly signature: Buffer | undefined;
}

/** The catalog in a folder. None there is an `input` error, one that is not whole too. */
export async function readCatalogFolder(folder: string): Promise<CatalogFolder> {
  const found = await findCatalog(folder);
  if (found !== undefined) return found;
  throw new SextantError('input', `${folder}: there is no catalog here (no ${CATALOG_FILE})`, {
    hint: `make one: \`sextant catalog add ${folder} RELEASE\``,
  });
}

/** The same, or undefined where there is none yet. */
export async function findCatalog(folder: string): Promise<CatalogFolder | undefined> {
  const file = join(folder, CATALOG_FILE);
  const bytes = await optional(file, LARGEST_CATALOG);
  if (bytes === undefined) return undefined;
  const signature = await optional(join(folder, SIGNATURE_FILE), 64 * 1024);
  return { folder, catalog: parseCatalog(bytes.toString('utf8'), file), bytes, signature };
}

async function optional(file: string, limit: number): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(file);
    if (size > limit) {
      throw new SextantError('input', `${file}: ${size} bytes are too many, ${limit} are the limit`, {
        hint: 'this is no catalog; restore it',
      });
    }
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export interface Signing {
  /** PEM file of the private key, or its pkcs11: address. Undefined: the catalog is not signed. */
  readonly key?: string;
  /** Whether a signed catalog may go on without a signature. */
  readonly unsigned?: boolean;
}

/**
 * Throws before anything is changed where the new catalog could not be signed as the old one was: no key, another key, or a catalog that
 * its own signature does not fit.
 */
export async function checkSigning(found: CatalogFolder | undefined, signing: Signing): Promise<void> {
  const own: KeyObject | undefined = signing.key === undefined ? undefined : await publicPart(signing.key);
  if (found?.signature === undefined || signing.unsigned) return;
  const file = join(found.folder, CATALOG_FILE);
  if (own === undefined) {
    throw new SextantError('usage', `${file}: is signed, and a change without a signature would be refused`, {
      hint: 'give the key with --key FILE; or --unsigned, if no node pins it',
    });
  }
  if (isSignedBy(found.bytes, found.signature, [own])) return;
  throw new SextantError('verification', `${file}: is not signed by ${signing.key}, or was changed since`, {
    hint: 'look what it holds (`sextant catalog show`); after a change of keys: sextant catalog sign CATALOG --key NEW --trust OLD',
  });
}

/**
 * Writes the next catalog: what images hold first, the catalog and its signature last, each file whole or not at all. Refuses (`input`)
 * where another program changed the catalog since it was read.
 */
export async function writeCatalogFolder(
  before: CatalogFolder | undefined,
  folder: string,
  catalog: Catalog,
  signing: Signing,
  contents: readonly ImageContents[] = [],
): Promise<void> {
  for (const { name, text } of contents.map(contentsFile)) {
    await writeFileAtomically(contentsPath(folder, name), text);
  }
  const bytes = Buffer.from(`${JSON.stringify(catalog, null, 1)}\n`);
  const signature = signing.key === undefined ? undefined : await signBytes(bytes, signing.key);
  const now = await optional(join(folder, CATALOG_FILE), LARGEST_CATALOG);
  if (now === undefined ? before !== undefined : !before?.bytes.equals(now)) {
    throw new SextantError('input', `${folder}: somebody else changed the catalog meanwhile`, {
      hint: 'run the same command again',
    });
  }
  await writeFileAtomically(join(folder, KAIROS_FILE), kairosText(catalog));
  // Who reads between the next two finds a signature that does not fit, and asks again; never a catalog that nobody signed.
  const signatureFile = join(folder, SIGNATURE_FILE);
  if (signature === undefined) await rm(signatureFile, { force: true });
  else await writeFileAtomically(signatureFile, signature);
  await writeFileAtomically(join(folder, CATALOG_FILE), bytes);
}
