import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { SextantError } from '../support/errors.ts';
import { bundledProgram } from '../support/package.ts';
import { type HashAnswer, type LevelTask, NOT_BEGUN, SHARED, SHORTER } from './hash-tasks.ts';
import { BLOCK } from './verity.ts';

const MAX_WORKERS = 4;
/** More chunks than any file has. */
const NOTHING_LEFT = 0x3fffffff;
/** How often progress is told, milliseconds. */
const TICK = 100;

/** Threads that hash. All of them use file descriptors of this process; close files only after `settle` or `close` has resolved. */
export interface HashPool {
  /**
   * Hashes a level of a tree with all threads. Resolves to the first block found to differ (mode `compare`), or undefined. `progress` is
   * called with bytes hashed so far.
   */
  level(
    task: Omit<LevelTask, 'shared' | 'worker' | 'workers'>,
    progress?: (bytes: number) => void,
  ): Promise<number | undefined>;
  /** Resolves once no thread uses a file any more, also after an error in one of them. */
  settle(): Promise<void>;
  /** Ends the threads, whatever they do. */
  close(): Promise<void>;
}

/** Starts one thread per processor, at most four. When `signal` aborts, everything under way rejects with its reason. */
export function openHashPool(signal: AbortSignal): HashPool {
  signal.throwIfAborted();
  const threads = Array.from({ length: Math.min(MAX_WORKERS, availableParallelism()) }, startThread);
  let closing: Promise<unknown> | undefined;
  const close = async () => {
    closing ??= Promise.all(threads.map((thread) => thread.end()));
    signal.removeEventListener('abort', close);
    await closing;
  };
  signal.addEventListener('abort', close, { once: true });

  return {
    async level(task, progress) {
      const workers = threads.length;
      const shared = new SharedArrayBuffer((SHARED.inHand + workers) * Int32Array.BYTES_PER_ELEMENT);
      const counts = new Int32Array(shared).fill(NOT_BEGUN, SHARED.inHand);
      const timer = setInterval(() => progress?.(Atomics.load(counts, SHARED.done) * BLOCK), TICK);
      try {
        const ask = (thread: Thread, worker: number) => thread.ask({ ...task, shared, worker, workers });
        await Promise.all(threads.map(ask));
      } catch (error) {
        Atomics.store(counts, SHARED.taken, NOTHING_LEFT); // The other threads need not go on.
        signal.throwIfAborted();
        throw error;
      } finally {
        clearInterval(timer);
      }
      const mismatch = Atomics.load(counts, SHARED.mismatch);
      return mismatch === 0 ? undefined : mismatch - 1;
    },
    async settle() {
      await Promise.all(threads.map((thread) => thread.idle()));
    },
    close,
  };
}

interface Thread {
  ask(task: LevelTask): Promise<void>;
  /** Resolves when everything asked so far is answered, or the thread has ended. */
  idle(): Promise<void>;
  end(): Promise<unknown>;
}

/** A worker answers in the order it was asked. */
function startThread(): Thread {
  const worker = new Worker(bundledProgram('hash-worker'), {
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    // Flags and loaders of the caller are not for it.
    execArgv: [],
  });
  let last: Promise<unknown> = Promise.resolve();
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];
  let ended: Error | undefined;
  const fail = (error: Error) => {
    ended ??= error;
    for (const { reject } of waiting.splice(0)) reject(ended);
  };
  worker.on('message', (answer: HashAnswer) => {
    const asked = waiting.shift();
    if (answer.ok) asked?.resolve();
    else asked?.reject(failure(answer.message, answer.code));
  });
  worker.on('error', (error) => fail(new Error(`a hash thread ended: ${error.message}`, { cause: error })));
  worker.on('exit', () => fail(new Error('a hash thread ended early')));
  return {
    ask(task) {
      const answer = new Promise<void>((resolve, reject) => {
        if (ended) {
          reject(ended);
          return;
        }
        waiting.push({ resolve, reject });
        worker.postMessage(task);
      });
      last = answer.catch(() => {});
      return answer;
    },
    async idle() {
      await last;
    },
    end: () => worker.terminate(),
  };
}

function failure(message: string, code: string | undefined): Error {
  if (code === SHORTER) {
    return new SextantError('filesystem', 'the image became shorter while it was read', {
      hint: 'something else writes to it: end that, and try again',
    });
  }
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
