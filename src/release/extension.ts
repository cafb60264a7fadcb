import { open, stat } from 'node:fs/promises';
import { z } from 'zod';
import { type Erofs, openErofs } from '../image/erofs/index.ts';
import { readImage } from '../image/index.ts';
import type { ImageInfo } from '../image/types.ts';
import { openStore } from '../sources/store.ts';
import type { Context } from '../support/context.ts';
import { SextantError } from '../support/errors.ts';
import { redact } from '../support/http.ts';
import { inStep } from '../support/progress.ts';
import { MANIFEST_PATH } from '../tree/manifest.ts';
import type { TreeEntry } from '../tree/types.ts';
import { isAddress } from './address.ts';
import { heldFields, KEPT } from './manifest-schema.ts';

const manifestSchema = z.looseObject({
  name: z.string(),
  architecture: z.string(),
  ...heldFields([...KEPT, 'dropped']),
});

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly components: readonly {
    readonly name: string;
    readonly version?: string;
    readonly standin?: boolean;
  }[];
  readonly entries: readonly TreeEntry[];
}

/** An extension opened for reading, without mounting it. */
export interface Extension {
  readonly path: string;
  readonly image: ImageInfo;
  readonly files: Erofs;
  /** Undefined for an extension that sextant did not build. */
  readonly manifest: Manifest | undefined;
  close(): Promise<void>;
}

/** Runs `work` with the file's path. Of an address it is a file of the cache; errors about that name the address all the same. */
export async function withLocalFile<T>(
  file: string,
  context: Context,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const path = await localFile(file, context);
  try {
    return await work(path);
  } catch (error) {
    if (!(error instanceof SextantError) || path === file) throw error;
    const { code, message, hint, details } = error;
    throw new SextantError(code, message.replaceAll(path, redact(file)), {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
    });
  }
}

/** Runs `work` with the extension in a file or at an address, opened for reading. */
export function withExtension<T>(
  file: string,
  context: Context,
  work: (extension: Extension) => Promise<T>,
): Promise<T> {
  return withLocalFile(file, context, async (path) => {
    const extension = await openExtension(path);
    try {
      return await work(extension);
    } finally {
      await extension.close();
    }
  });
}

/** A local path as it is; an http(s) address downloaded into the cache first, with progress. */
async function localFile(file: string, context: Context): Promise<string> {
  if (!isAddress(file)) {
    if ((await stat(file)).isDirectory()) {
      throw new SextantError('input', `${file}: is a folder, an extension is one .raw file`, {
        hint: `name the file in it: ls ${file}/*.raw`,
      });
    }
    return file;
  }
  const store = await openStore({ ...context, mirrors: [], frozen: false });
  return inStep(
    context.progress,
    `fetch ${redact(file)}`,
    async (step) => (await store.discover(file, step)).path,
  );
}

/** Opens an extension: partition table, file system and manifest. What is malformed is one `input` or `verification` error. */
async function openExtension(path: string): Promise<Extension> {
  const image = await readImage(path);
  const root = image.partitions.find(({ designator }) => designator === 'root');
  if (root === undefined) throw new SextantError('input', `${path}: has no root partition`);
  const handle = await open(path, 'r');
  try {
    const files = await openErofs(async (offset, length) => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await handle.read(buffer, 0, length, root.offset + offset);
      return buffer.subarray(0, bytesRead);
    }, root.size);
    return { path, image, files, manifest: await readManifest(path, files), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readManifest(path: string, files: Erofs): Promise<Manifest | undefined> {
  if ((await files.stat(MANIFEST_PATH)) === undefined) return undefined;
  try {
    return manifestSchema.parse(
      JSON.parse((await files.read(MANIFEST_PATH)).toString('utf8')),
    ) as unknown as Manifest;
  } catch (error) {
    if (error instanceof SextantError) throw error;
    throw new SextantError('input', `${path}: ${MANIFEST_PATH} in it cannot be read`, {
      hint: 'it was built by another version, or damaged: `sextant verify` tells which',
      cause: error,
    });
  }
}
