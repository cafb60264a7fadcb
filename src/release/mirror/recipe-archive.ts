import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { readExactly } from '../registry/blob.ts';
import { tarEnd, tarHeader, tarPadding } from '../registry/tar.ts';
import type { RecipeFile } from './recipe.ts';

/** An archive of a recipe's files, as oras unpacks one: gzip, everything below `recipe/`. */
export interface RecipeArchive {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  /** SHA-256 of the archive before it was compressed, which oras wants to know. */
  readonly tarSha256: string;
}

/** Writes the archive; the modes of programs are in it, which no title of a layer could say. The same files give the same bytes. */
export async function writeRecipeArchive(
  files: readonly RecipeFile[],
  path: string,
  signal: AbortSignal,
): Promise<RecipeArchive> {
  const whole = createHash('sha256');
  async function* archive(): AsyncGenerator<Uint8Array> {
    for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
      yield tarHeader(`recipe/${file.path}`, file.size, file.executable ? 0o755 : 0o644);
      if (typeof file.from === 'string') yield* readExactly(file.from, 0, file.size);
      else yield Buffer.from(file.from.text);
      yield tarPadding(file.size);
    }
    yield tarEnd();
  }
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const piece of archive()) {
      whole.update(piece);
      yield piece;
    }
  }
  await pipeline(hashed(), createGzip({ level: 6 }), createWriteStream(path), { signal });
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    hash.update(piece as Buffer);
    size += (piece as Buffer).length;
  }
  return { path, sha256: hash.digest('hex'), size, tarSha256: whole.digest('hex') };
}
