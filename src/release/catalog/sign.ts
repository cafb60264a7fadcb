import { join } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { writeFileAtomically } from '../../support/files.ts';
import { signatureState } from './check.ts';
import { type CatalogFolder, readCatalogFolder } from './folder.ts';
import { signBytes } from './signature.ts';
import { CATALOG_FILE, SIGNATURE_FILE } from './types.ts';

/**
 * Signs the catalog in a folder as it is by `key`. A signature that is there has to be by one of the keys in the PEM file `trust`, else this
 * is a `verification` error; not told which, a `usage` error. The catalog's bytes stay, so no node takes it for another one.
 */
export async function signCatalogFolder(folder: string, key: string, trust?: string): Promise<CatalogFolder> {
  const found = await readCatalogFolder(folder);
  if (found.signature !== undefined) {
    const file = join(folder, CATALOG_FILE);
    if (trust === undefined) {
      throw new SextantError('usage', `${file}: is signed, and by which key it should be was not said`, {
        hint: 'give the certificate or public key of the key before with --trust FILE',
      });
    }
    await signatureState(found, file, trust);
  }
  const signature = await signBytes(found.bytes, key);
  await writeFileAtomically(join(folder, SIGNATURE_FILE), signature);
  return { ...found, signature };
}
