// A thread that hashes: tools/bundle.mjs makes it a file of its own, hash-pool.ts starts it.
import { hash as oneShot } from 'node:crypto';
import { ftruncateSync, readSync, readvSync, writeSync, writevSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type HashAnswer, type LevelTask, NOT_BEGUN, SHARED, SHORTER } from './hash-tasks.ts';
import { BLOCK, DIGEST, HASHES_PER_BLOCK } from './verity.ts';

/** Blocks a worker takes at a time: 8 MiB of data, whose digests fill 16 hash blocks. */
const CHUNK = 16 * HASHES_PER_BLOCK;
/** Blocks per read: 256 KiB stay in the processor's cache between reading and hashing. */
const BATCH = 64;

function level(task: LevelTask): void {
  const { source, salt, blocks, move } = task;
  const shared = new Int32Array(task.shared);
  const chunks = Math.ceil(blocks / CHUNK);
  // Each block is read to its place behind a copy of the salt, so one call hashes both and nothing is copied.
  const stride = salt.length + BLOCK;
  const buffer = Buffer.alloc(BATCH * stride);
  const salted = Array.from({ length: BATCH }, (_, index) =>
    buffer.subarray(index * stride, (index + 1) * stride),
  );
  const views = salted.map((block) => {
    block.set(salt);
    return block.subarray(salt.length);
  });
  const digests = Buffer.alloc(CHUNK * DIGEST);
  const held = Buffer.alloc(task.mode === 'compare' ? digests.length : 0);
  for (;;) {
    const taken = Atomics.add(shared, SHARED.taken, 1);
    // What moves away leaves from the end, so that the source can be shortened; what is only read is read in order.
    const chunk = move ? chunks - 1 - taken : taken;
    Atomics.store(shared, SHARED.inHand + task.worker, chunk);
    if (taken >= chunks || Atomics.load(shared, SHARED.mismatch) !== 0) return;
    const first = chunk * CHUNK;
    const count = Math.min(CHUNK, blocks - first);
    for (let done = 0; done < count; done += BATCH) {
      const batch = Math.min(BATCH, count - done);
      const wanted = batch === BATCH ? views : views.slice(0, batch);
      const at = (first + done) * BLOCK;
      expectBytes(readvSync(source, wanted, task.from + at), batch * BLOCK);
      // Strings of bytes cost a third of new Buffers, and a fifth of hexadecimal; they are written a batch at a time.
      let found = '';
      for (let index = 0; index < batch; index += 1) {
        found += oneShot('sha256', salted[index] as Buffer, 'binary');
      }
      digests.write(found, done * DIGEST, 'latin1');
      if (move) writeBlocks(move.target, wanted, move.to + at);
    }
    if (move) shorten(task, shared, chunk);
    const size = Math.ceil(count / HASHES_PER_BLOCK) * BLOCK;
    digests.fill(0, count * DIGEST, size);
    const at = task.to + first * DIGEST;
    if (task.mode === 'write') {
      writeAll(task.target, digests, size, at);
    } else {
      expectBytes(readSync(task.target, held, 0, size, at), size);
      if (held.compare(digests, 0, size, 0, size) !== 0) {
        const block = first + Math.floor(firstDifference(held, digests) / DIGEST);
        Atomics.compareExchange(shared, SHARED.mismatch, 0, 1 + Math.min(blocks - 1, block));
      }
    }
    Atomics.add(shared, SHARED.done, count);
  }
}

/** Cuts off the source what no worker still has to read: everything from this chunk on, or from behind the last one in hand. */
function shorten({ source, from, worker, workers }: LevelTask, shared: Int32Array, chunk: number): void {
  let end = chunk;
  for (let other = 0; other < workers; other += 1) {
    if (other !== worker) end = Math.max(end, Atomics.load(shared, SHARED.inHand + other) + 1);
  }
  if (end <= NOT_BEGUN) ftruncateSync(source, from + end * CHUNK * BLOCK);
}

function firstDifference(a: Buffer, b: Buffer): number {
  let at = 0;
  while (a[at] === b[at]) at += 1;
  return at;
}

function writeBlocks(file: number, blocks: readonly Buffer[], position: number): void {
  const size = blocks.length * BLOCK;
  const written = writevSync(file, blocks, position);
  if (written === size) return;
  // A disk that is nearly full takes a part first and says why with the rest.
  writeAll(file, Buffer.concat(blocks), size - written, position + written, written);
}

function writeAll(file: number, buffer: Buffer, size: number, position: number, start = 0): void {
  for (let done = 0; done < size; ) {
    done += writeSync(file, buffer, start + done, size - done, position + done);
  }
}

function expectBytes(read: number, wanted: number): void {
  if (read !== wanted) throw Object.assign(new Error('the file ended early'), { code: SHORTER });
}

parentPort?.on('message', (task: LevelTask) => {
  let answer: HashAnswer;
  try {
    level(task);
    answer = { ok: true };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    answer = { ok: false, message, code };
  }
  parentPort?.postMessage(answer);
});
