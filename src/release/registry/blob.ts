import { createReadStream } from 'node:fs';
import { SextantError } from '../../support/errors.ts';
import { sha256 } from '../../support/files.ts';

/** Bytes to publish, named by their digest and read from any place on, as often as needed. */
export interface Blob {
  /** "sha256:...". */
  readonly digest: string;
  readonly size: number;
  /** What people call it. */
  readonly name: string;
  read(from: number): AsyncIterable<Uint8Array>;
}

const PIECE = 1024 * 1024;

/** A file whose digest is known; it is read when it is sent, never held. */
export function fileBlob(path: string, name: string, sha: string, size: number): Blob {
  return { digest: `sha256:${sha}`, size, name, read: (from) => readExactly(path, from, size) };
}

export function bytesBlob(name: string, bytes: Uint8Array): Blob {
  return {
    digest: `sha256:${sha256(bytes)}`,
    size: bytes.length,
    name,
    async *read(from) {
      yield bytes.subarray(from);
    },
  };
}

/** The bytes of a file from `from` to `size`. Throws `filesystem` when it has become shorter. */
export async function* readExactly(path: string, from: number, size: number): AsyncGenerator<Uint8Array> {
  let at = from;
  if (at >= size) return;
  for await (const piece of createReadStream(path, { start: from, end: size - 1, highWaterMark: PIECE })) {
    at += (piece as Buffer).length;
    yield piece as Buffer;
  }
  if (at === size) return;
  throw new SextantError('filesystem', `${path}: became shorter while it was read`, {
    hint: 'nothing may change a release while it is published; build it again',
  });
}
