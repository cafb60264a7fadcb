import { closeSync, openSync, readvSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { sha256Of } from './block-hash.ts';
import { BLOCK, DIGEST } from './verity.ts';

/** Hash `blocks` blocks of a file from `offset` (bytes), each with the salt in front. */
export interface HashTask {
  readonly path: string;
  readonly offset: number;
  readonly blocks: number;
  readonly salt: Uint8Array;
}

const PIECE = 128; // Blocks read at a time.

/** Each block is read to its own place behind a copy of the salt, so that one call hashes both and nothing is copied. */
function digests({ path, offset, blocks, salt }: HashTask): Uint8Array<ArrayBuffer> {
  const stride = salt.length + BLOCK;
  const buffer = new Uint8Array(PIECE * stride);
  const salted = Array.from({ length: PIECE }, (_, index) =>
    buffer.subarray(index * stride, (index + 1) * stride),
  );
  const views = salted.map((block) => {
    block.set(salt);
    return block.subarray(salt.length);
  });
  const result = new Uint8Array(blocks * DIGEST);
  const file = openSync(path, 'r');
  try {
    for (let done = 0; done < blocks; done += PIECE) {
      const count = Math.min(PIECE, blocks - done);
      const read = readvSync(file, views.slice(0, count), offset + done * BLOCK);
      if (read !== count * BLOCK) throw new Error(`${path}: ${read} bytes where ${count * BLOCK} are needed`);
      for (let index = 0; index < count; index += 1) {
        result.set(sha256Of(salted[index] as Uint8Array), (done + index) * DIGEST);
      }
    }
  } finally {
    closeSync(file);
  }
  return result;
}

parentPort?.on('message', (task: HashTask) => {
  const result = digests(task);
  parentPort?.postMessage(result, [result.buffer]);
});
