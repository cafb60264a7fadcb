import type { FileHandle } from 'node:fs/promises';
import { sha256Of } from './block-hash.ts';
import { hashBlocks } from './hash-pool.ts';
import { BLOCK, DIGEST, type TreeLayout } from './verity.ts';

interface TreeRequest {
  readonly path: string;
  readonly file: FileHandle;
  /** Bytes from the start of the file. */
  readonly dataOffset: number;
  readonly hashOffset: number;
  readonly layout: TreeLayout;
  readonly salt: Buffer;
  readonly signal: AbortSignal;
  readonly progress?: (bytes: number) => void;
  /** What becomes of each finished piece of the tree: `at` is bytes from the start of the file. */
  readonly emit: (piece: Buffer, at: number) => Promise<void>;
}

/** Computes the hash tree over the data, handing each finished block run to `emit`, and returns the root hash (hexadecimal). */
export async function computeTree(request: TreeRequest): Promise<string> {
  const { layout, salt, hashOffset } = request;
  const salted = Buffer.alloc(salt.length + BLOCK);
  salt.copy(salted);
  const hashOf = (block: Buffer): Buffer => {
    block.copy(salted, salt.length);
    return sha256Of(salted);
  };
  const above = Buffer.alloc((layout.levels[0]?.blocks ?? 0) * DIGEST);
  await hashBlocks({
    path: request.path,
    offset: request.dataOffset,
    blocks: layout.dataBlocks,
    salt,
    signal: request.signal,
    ...(request.progress === undefined ? {} : { progress: request.progress }),
    async take(first, digests) {
      const level = layout.levels[0] as { first: number };
      const block = (first * DIGEST) / BLOCK;
      const whole = padded(digests);
      await request.emit(whole, hashOffset + (level.first + block) * BLOCK);
      for (let at = 0; at < whole.length; at += BLOCK) {
        hashOf(whole.subarray(at, at + BLOCK)).copy(above, (block + at / BLOCK) * DIGEST);
      }
    },
  });
  let digests = above;
  for (const level of layout.levels.slice(1)) {
    const whole = padded(digests);
    await request.emit(whole, hashOffset + level.first * BLOCK);
    digests = Buffer.concat(
      Array.from({ length: whole.length / BLOCK }, (_, index) =>
        hashOf(whole.subarray(index * BLOCK, (index + 1) * BLOCK)),
      ),
    );
  }
  return digests.subarray(0, DIGEST).toString('hex');
}

/** Zeros up to the next block. */
function padded(digests: Buffer): Buffer {
  const missing = (BLOCK - (digests.length % BLOCK)) % BLOCK;
  return missing === 0 ? digests : Buffer.concat([digests, Buffer.alloc(missing)]);
}
