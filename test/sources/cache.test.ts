import { mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtFolder } from '../../src/sources/built.ts';
import { cacheLimit, cacheStatus, pruneCache } from '../../src/sources/cache.ts';
import { place } from '../../src/sources/partial.ts';
import { contextFor, errorOf, withFolder } from './context.ts';

const HOUR = 3600_000;
const now = Date.now();

async function put(path: string, bytes: number, hoursAgo: number): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, Buffer.alloc(bytes));
  const at = new Date(now - hoursAgo * HOUR);
  await utimes(path, at, at);
}

async function putBuilt(cache: string, name: string, bytes: number, hoursAgo: number): Promise<void> {
  await put(join(cache, 'built', name, 'sub/file'), bytes, hoursAgo);
  const at = new Date(now - hoursAgo * HOUR);
  await utimes(join(cache, 'built', name), at, at);
}

const blob = (cache: string, letter: string) =>
  join(cache, 'blobs/sha256', letter.repeat(2), letter.repeat(64));

describe('pruning', () => {
  test('removes the least recently used until the rest fits', () =>
    withFolder(async (cache) => {
      await put(blob(cache, 'a'), 100, 5);
      await putBuilt(cache, 'old', 100, 4);
      await put(blob(cache, 'b'), 100, 3);
      await putBuilt(cache, 'new', 100, 2);
      expect(await pruneCache({ cache, limitBytes: 250, now })).toEqual({
        removed: 2,
        removedBytes: 200,
        keptBytes: 200,
        inUseBytes: 0,
      });
      expect(await readdir(join(cache, 'built'))).toEqual(['new']);
      expect((await cacheStatus({ cache })).blobs).toEqual({ count: 1, bytes: 100 });
    }));

  test('keeps everything that fits, and removes everything with all', () =>
    withFolder(async (cache) => {
      await put(blob(cache, 'a'), 100, 5);
      await put(join(cache, 'partial', 'a'.repeat(64)), 10, 1);
      expect(await pruneCache({ cache, limitBytes: 1000, now })).toMatchObject({
        removed: 0,
        keptBytes: 110,
      });
      expect(await pruneCache({ cache, limitBytes: 1000, all: true, now })).toMatchObject({
        removed: 2,
        keptBytes: 0,
      });
    }));

  test('never removes what was used since another running process began', () =>
    withFolder(async (cache) => {
      await put(blob(cache, 'a'), 100, 5);
      await put(blob(cache, 'b'), 100, 1);
      await put(join(cache, 'running', `${place}.${process.ppid}`), 0, 2);
      expect(await pruneCache({ cache, limitBytes: 0, all: true, now })).toEqual({
        removed: 1,
        removedBytes: 100,
        keptBytes: 100,
        inUseBytes: 100,
      });
      await stat(blob(cache, 'b'));
    }));

  test('knows a process that has a built folder as one that uses the cache', () =>
    withFolder(async (cache) => {
      await builtFolder({ cache, signal: new AbortController().signal }, 'a guest’s disk', async () => {});
      expect(await readdir(join(cache, 'running'))).toEqual([`${place}.${process.pid}`]);
    }));

  test('looks at what Go keeps: its modules as a whole, its build cache file by file, an hour younger than it seems', () =>
    withFolder(async (cache) => {
      await put(join(cache, 'go/mod/a.b/c@v1.0.0/go.mod'), 100, 9);
      await utimes(join(cache, 'go/mod'), new Date(now), new Date(now - 6 * HOUR));
      await put(join(cache, 'go/build/00/old-d'), 100, 5);
      await put(blob(cache, 'a'), 100, 4.5);
      await put(join(cache, 'go/build/ff/new-d'), 100, 5.2);
      await put(join(cache, 'go/build/trim.txt'), 10, 9);
      expect(await pruneCache({ cache, limitBytes: 350, now })).toMatchObject({ removed: 1, keptBytes: 300 });
      expect(await readdir(join(cache, 'go'))).toEqual(['build']);
      expect(await pruneCache({ cache, limitBytes: 250, now })).toMatchObject({ removed: 1, keptBytes: 200 });
      expect((await cacheStatus({ cache })).blobs.count).toBe(0);
      expect(await pruneCache({ cache, limitBytes: 0, keepSince: now - 4.1 * HOUR, now })).toMatchObject({
        removed: 1,
        inUseBytes: 100,
      });
      expect(await readdir(join(cache, 'go/build/00'))).toEqual(['old-d']);
    }));

  test('counts what a file with holes takes, not its length', () =>
    withFolder(async (cache) => {
      await put(blob(cache, 'a'), 0, 1);
      await truncate(blob(cache, 'a'), 1024 ** 3);
      expect((await cacheStatus({ cache })).bytes).toBeLessThan(1024 ** 2);
    }));

  test('does not mind processes that have ended', () =>
    withFolder(async (cache) => {
      await put(blob(cache, 'a'), 100, 1);
      await put(join(cache, 'running', `${place}.999999999`), 0, 2);
      expect(await pruneCache({ cache, limitBytes: 0, now })).toMatchObject({ removed: 1 });
    }));

  test('removes what was left unfinished for a day, also when there is room', () =>
    withFolder(async (cache) => {
      await putBuilt(cache, '.abc.1.aa.tmp', 100, 25);
      await put(join(cache, 'partial', 'b'.repeat(64)), 100, 25);
      await put(join(cache, 'partial', 'c'.repeat(64)), 100, 2);
      expect(await pruneCache({ cache, limitBytes: 10_000, now })).toMatchObject({
        removed: 2,
        keptBytes: 100,
      });
    }));

  test('finding a blob makes it the last to go', () =>
    withFolder(async (cache) => {
      await put(blob(cache, 'a'), 100, 5);
      await put(blob(cache, 'b'), 100, 3);
      await contextFor(cache).store.find('a'.repeat(64));
      await pruneCache({ cache, limitBytes: 100 });
      expect(await readdir(join(cache, 'blobs/sha256/aa'))).toHaveLength(1);
      expect(await readdir(join(cache, 'blobs/sha256/bb'))).toHaveLength(0);
    }));
});

test('an empty cache has a status', async () => {
  expect(await cacheStatus({ cache: `/nonexistent/${hostname()}` })).toMatchObject({
    bytes: 0,
    blobs: { count: 0, bytes: 0 },
  });
});

describe('the limit', () => {
  test.each([
    [undefined, 20 * 1024 ** 3],
    ['5000', 5000],
    ['500M', 500 * 1024 ** 2],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['2tb', 2 * 1024 ** 4],
  ])('%s is %d bytes', (text, bytes) => {
    expect(cacheLimit(text === undefined ? {} : { SEXTANT_CACHE_LIMIT: text })).toBe(bytes);
  });

  test('that is no size is an error that names it', () => {
    expect(() => cacheLimit({ SEXTANT_CACHE_LIMIT: 'lots' })).toThrowError(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining('lots') }),
    );
  });
});

describe('a built folder', () => {
  test('is made once for a key, whatever the order of its fields', () =>
    withFolder(async (cache) => {
      const context = contextFor(cache);
      let made = 0;
      const make = async (folder: string) => {
        made += 1;
        await writeFile(join(folder, 'file'), 'content');
      };
      const [first, second] = await Promise.all([
        builtFolder(context, { a: 1, b: 2 }, make),
        builtFolder(context, { b: 2, a: 1 }, make),
      ]);
      expect(first).toBe(second);
      expect(await builtFolder(context, { a: 1, b: 2 }, make)).toBe(first);
      expect(made).toBe(1);
      expect(await readFile(join(first, 'file'), 'utf8')).toBe('content');
    }));

  test('that fails leaves nothing behind, also where it made folders read-only', () =>
    withFolder(async (cache) => {
      const error = await errorOf(
        builtFolder(contextFor(cache), 'key', async (folder) => {
          await mkdir(join(folder, 'sub'), { mode: 0o500 });
          throw new Error('no');
        }),
      );
      expect(error.code).toBe('internal');
      expect(await readdir(join(cache, 'built'))).toEqual([]);
    }));

  test('that another process finished first is used', () =>
    withFolder(async (cache) => {
      const context = contextFor(cache);
      const folder = await builtFolder(context, 'key', async (temporary) => {
        const finished = join(cache, 'built', temporary.split('/.')[1]?.split('.')[0] ?? '');
        await mkdir(finished);
        await writeFile(join(finished, 'file'), 'theirs');
        await writeFile(join(temporary, 'file'), 'mine');
      });
      expect(await readFile(join(folder, 'file'), 'utf8')).toBe('theirs');
      expect(await readdir(join(cache, 'built'))).toHaveLength(1);
    }));

  test('is not made when interrupted', () =>
    withFolder(async (cache) => {
      const controller = new AbortController();
      const context = contextFor(cache, { signal: controller.signal });
      const error = await errorOf(builtFolder(context, 'key', async () => controller.abort()));
      expect(error.code).toBe('interrupted');
      expect(await readdir(join(cache, 'built'))).toEqual([]);
    }));
});
