import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../../sources/store.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { writeFileAtomically } from '../../support/files.ts';
import { redact } from '../../support/http.ts';
import { inStep } from '../../support/progress.ts';
import { isAddress, isRegistryPlace } from '../address.ts';
import { contentsPath, readContents } from '../catalog/contents.ts';
import { catalogArtifact, catalogFile, readCatalog } from '../catalog/fetch.ts';
import { type CatalogFolder, findCatalog } from '../catalog/folder.ts';
import { kairosText } from '../catalog/kairos.ts';
import {
  CATALOG_FILE,
  type Catalog,
  type CatalogImage,
  CONTENTS_FOLDER,
  KAIROS_FILE,
  SIGNATURE_FILE,
} from '../catalog/types.ts';

/** A catalog with everything that belongs to it; what is signed and what has a digest byte for byte. */
export interface WholeCatalog {
  readonly catalog: Catalog;
  /** The catalog's own file. */
  readonly bytes: Buffer;
  /** Relative to the catalog's folder; the two that readers begin with, the signature and the catalog, come last. */
  readonly files: readonly { readonly path: string; readonly bytes: Buffer }[];
}

/**
 * Reads a catalog in a folder, at an address or in a registry, with what its images hold, each file held against its digest. `kairos` gives the
 * text that Kairos reads: the catalog's own, or one for where it is put.
 */
export function wholeCatalog(
  place: string,
  context: Context,
  kairos: (catalog: Catalog) => string | Promise<string> = kairosText,
): Promise<WholeCatalog> {
  return inStep(
    context.progress,
    `catalog ${redact(place)}`,
    async () => {
      const { catalog, bytes, signature } = await readCatalog(place, context);
      const digests = new Map(
        catalog.releases.flatMap(({ images }) => images.map((one) => [one.contents, one])),
      );
      const contents = await contentsReader(place, context);
      const files: { path: string; bytes: Buffer }[] = [];
      for (const [digest, image] of [...digests].sort(([a], [b]) => (a < b ? -1 : 1))) {
        context.signal.throwIfAborted();
        files.push({ path: `${CONTENTS_FOLDER}/${digest}.json`, bytes: await contents(digest, image) });
      }
      files.push({ path: KAIROS_FILE, bytes: Buffer.from(await kairos(catalog)) });
      if (signature !== undefined) files.push({ path: SIGNATURE_FILE, bytes: signature });
      return { catalog, bytes, files: [...files, { path: CATALOG_FILE, bytes }] };
    },
    ({ catalog }) => `serial ${catalog.serial}, ${catalog.releases.length} releases`,
  );
}

type ContentsReader = (digest: string, image: CatalogImage) => Promise<Buffer>;

async function contentsReader(place: string, context: Context): Promise<ContentsReader> {
  if (isRegistryPlace(place)) {
    const { from } = await catalogArtifact(place, context);
    return async (digest) => readFile(await from.blob({ digest: `sha256:${digest}` }));
  }
  if (isAddress(place)) {
    const store = openStore({ ...context, mirrors: [], frozen: false });
    const folder = catalogFile(place).replace(/[^/]*$/, '');
    return async (digest) => {
      const address = `${folder}${CONTENTS_FOLDER}/${digest}.json`;
      return readFile((await store.discover(address, undefined, { sha256: digest })).path);
    };
  }
  return async (digest, image) => {
    await readContents(place, image);
    return readFile(contentsPath(place, digest));
  };
}

/**
 * Copies a catalog with its signature into a folder, the catalog itself last; resolves to its serial. Throws `verification` where the folder has
 * a newer one, or another one with the same serial.
 */
export async function putCatalog(place: string, folder: string, context: Context): Promise<number> {
  const whole = await wholeCatalog(place, context);
  const { catalog, files } = whole;
  const there = await findCatalog(folder);
  if (there !== undefined) refuseOlder(there, whole, place, folder);
  for (const file of files) await writeFileAtomically(join(folder, file.path), file.bytes);
  if (!files.some(({ path }) => path === SIGNATURE_FILE))
    await rm(join(folder, SIGNATURE_FILE), { force: true });
  return catalog.serial;
}

/** Throws `verification` where the catalog that a mirror has must not be replaced by the one of `place`. */
export function refuseOlder(held: CatalogFolder, next: WholeCatalog, place: string, mirror: string): void {
  const [there, serial] = [held.catalog.serial, next.catalog.serial];
  if (serial > there || held.bytes.equals(next.bytes)) return;
  throw new SextantError(
    'verification',
    serial < there
      ? `${redact(place)}: has serial ${serial}, the mirror ${mirror} has ${there} already: it is an old catalog`
      : `${redact(place)}: is another catalog than the one in the mirror ${mirror} with the same serial, ${serial}`,
    { hint: 'ask whoever makes it why; to begin anew take the catalog out of the mirror' },
  );
}
