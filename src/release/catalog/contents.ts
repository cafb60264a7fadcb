import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import { canonicalJson, sha256 } from '../../support/files.ts';
import type { Compared } from '../difference.ts';
import type { Extension, Manifest } from '../extension.ts';
import { heldFields, KEPT } from '../manifest-schema.ts';
import { type CatalogImage, CONTENTS_FOLDER } from './types.ts';

/**
 * What an image holds, as the catalog keeps it beside itself: enough to show it and to compare it with another one without fetching either.
 * Its file is named by its digest, which the catalog holds.
 */
export interface ImageContents {
  readonly version: string;
  readonly components: Manifest['components'];
  readonly entries: readonly ContentsEntry[];
}

type ContentsEntry = Pick<
  Manifest['entries'][number],
  'path' | 'kind' | 'mode' | 'size' | 'sha256' | 'target' | 'component' | 'disposition'
>;

/** More than any image holds; it keeps what a page is made from within bounds. */
const MOST_ENTRIES = 200_000;
const contentsSchema = z.looseObject(heldFields(KEPT, MOST_ENTRIES));

/** The contents of an opened extension; one that sextant did not build is an `input` error. */
export function contentsOf({ manifest, path }: Pick<Extension, 'manifest' | 'path'>): ImageContents {
  if (manifest === undefined) {
    throw new SextantError('input', `${path}: has no manifest in it, so sextant did not build it`, {
      hint: 'a catalog lists releases made by `sextant build`',
    });
  }
  return {
    version: manifest.version,
    components: manifest.components.map(({ name, version, standin }) => ({
      name,
      ...(version === undefined ? {} : { version }),
      ...(standin === undefined ? {} : { standin }),
    })),
    entries: manifest.entries
      .filter(({ disposition }) => disposition !== 'dropped')
      .map(({ path: place, kind, mode, size, sha256: digest, target, component, disposition }) => ({
        path: place,
        kind,
        mode,
        size,
        component,
        disposition,
        ...(digest === undefined ? {} : { sha256: digest }),
        ...(target === undefined ? {} : { target }),
      })),
  };
}

/** The text of a contents file and its name, which is its digest. */
export function contentsFile(contents: ImageContents): { readonly name: string; readonly text: string } {
  const text = `${canonicalJson(contents)}\n`;
  return { name: sha256(text), text };
}

export function contentsPath(folder: string, digest: string): string {
  return join(folder, CONTENTS_FOLDER, `${digest}.json`);
}

/** Reads what an image of the catalog in a folder holds, held against its digest. Throws `verification` where they differ. */
export async function readContents(folder: string, image: CatalogImage): Promise<ImageContents> {
  const path = contentsPath(folder, image.contents);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new SextantError('verification', `${path}: is missing, the catalog names it`, {
      hint: 'copy the whole folder of the catalog, contents/ too',
    });
  });
  if (sha256(text) !== image.contents) {
    throw new SextantError('verification', `${path}: is not what the catalog says, its SHA-256 differs`, {
      hint: 'copy the folder of the catalog again',
    });
  }
  return contentsSchema.parse(JSON.parse(text)) as unknown as ImageContents;
}

/** The form that `difference` compares. */
export function comparable(image: CatalogImage, { version, components, entries }: ImageContents): Compared {
  return {
    image: { size: image.size, rootHash: image.rootHash },
    manifest: { name: '', version, architecture: image.architecture, components, entries },
  };
}
