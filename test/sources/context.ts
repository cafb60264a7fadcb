import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type StoreOptions } from '../../src/sources/store.ts';
import type { Mirror, SourceContext } from '../../src/sources/types.ts';
import { silent } from '../../src/support/progress.ts';
import type { Clock } from '../../src/support/retry.ts';

/** A clock whose waits are over at once; `waits` holds how long they would have been, in milliseconds. */
export function instantClock(now = Date.parse('2026-01-02T03:04:05Z')): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    random: () => 0.5,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      waits.push(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

export interface TestContext extends SourceContext {
  readonly clock: ReturnType<typeof instantClock>;
}

/** A source context over a new cache; `options` changes parts of it. */
export function contextFor(
  cache: string,
  options: Partial<StoreOptions> & {
    readonly mirrors?: readonly Mirror[];
    readonly recipeFolder?: string;
  } = {},
): TestContext {
  const clock = instantClock();
  const base = {
    cache,
    mirrors: options.mirrors ?? [],
    frozen: options.frozen ?? false,
    signal: options.signal ?? new AbortController().signal,
    progress: options.progress ?? silent,
    clock,
  };
  return {
    ...base,
    store: openStore({ ...base, ...options }),
    recipeFolder: options.recipeFolder ?? cache,
    go: 'go1.26.8',
  };
}

/** Runs a test with an empty folder that is removed afterwards. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-sources-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The error that `work` throws; fails when it throws none. */
export async function errorOf(
  work: Promise<unknown>,
): Promise<import('../../src/support/errors.ts').SextantError> {
  try {
    await work;
  } catch (error) {
    return error as import('../../src/support/errors.ts').SextantError;
  }
  throw new Error('expected an error, there was none');
}
