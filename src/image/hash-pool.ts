import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { bundledProgram } from '../support/package.ts';
import type { HashTask } from './hash-worker.ts';
import { BLOCK, HASHES_PER_BLOCK } from './verity.ts';

// 8 MiB of data, 64 KiB of hashes a task: long enough to keep workers busy, short enough to keep memory flat.
const TASK_BLOCKS = 16 * HASHES_PER_BLOCK;

interface HashRequest {
  readonly path: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly blocks: number;
  readonly salt: Buffer;
  readonly signal: AbortSignal;
  /** Called with the digests of blocks `first` and on, in any order. */
  readonly take: (first: number, digests: Buffer) => Promise<void> | void;
  readonly progress?: (bytes: number) => void;
}

/** Hashes blocks of a file in as many worker threads as there are processors (four at most). */
export async function hashBlocks(request: HashRequest): Promise<void> {
  const { path, offset, blocks, salt, signal } = request;
  let next = 0;
  let done = 0;
  async function work(): Promise<void> {
    if (next >= blocks) return;
    const worker = new Worker(bundledProgram('hash-worker'), {
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
    });
    try {
      while (next < blocks) {
        signal.throwIfAborted();
        const first = next;
        const count = Math.min(TASK_BLOCKS, blocks - first);
        next += count;
        const task: HashTask = { path, offset: offset + first * BLOCK, blocks: count, salt };
        const answer = once(worker, 'message');
        worker.postMessage(task);
        const [digests] = (await answer) as [Uint8Array];
        await request.take(first, Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength));
        done += count;
        request.progress?.(done * BLOCK);
      }
    } finally {
      await worker.terminate();
    }
  }
  const workers = Math.min(4, availableParallelism(), Math.ceil(blocks / TASK_BLOCKS));
  await Promise.all(Array.from({ length: workers }, work));
}
