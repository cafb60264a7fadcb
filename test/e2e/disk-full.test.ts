import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Release } from '../../src/release/types.ts';
import { run } from '../../src/support/subprocess.ts';
import { type Ended, startSextant } from '../sextant.ts';
import { unfinishedIn } from './remains.ts';
import { makeCache, makeSmallRecipe, releaseFiles } from './small-recipe.ts';

// Builds on a file system that is too small, larger ones by and by, until there is room. Mounting one needs root.

/^error: .*(no space left on the disk|disk quota is used up).*\nhint: .*free some space.*\n$/m;
let folder: string;
let recipe: string;
let cache: string;
let elsewhere: Record<string, string>;
let imageSize: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-full-'));
  recipe = join(folder, 'recipe');
  cache = join(folder, 'cache');
  await makeSmallRecipe(recipe);
  await makeCache(cache);
  const { code, stderr } = await build({});
  expect(code, stderr).toBe(0);
  elsewhere = await releaseFiles(join(recipe, 'dist'));
  imageSize = (JSON.parse(elsewhere['release.json'] ?? '') as Release).images[0]?.size ?? 0;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const build = ({ at = recipe, from = cache, output = 'dist' }): Promise<Ended> =>
  startSextant(['build', '--output', output], { cwd: at, env: { SEXTANT_CACHE: from } }).ended;

/** Runs `work` with a small file system that `resize` gives other sizes (KiB). */
async function onSmallDisk(
  name: string,
  work: (disk: string, resize: (kib: number) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const disk = join(folder, name);
  await mkdir(disk);
  await run('mount', ['-n', '-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', disk]);
  try {
    await work(disk, (kib) => run('mount', ['-n', '-o', `remount,size=${kib}k`, disk]));
  } finally {
    await run('umount', ['-n', disk]);
  }
}

/** The error must name a place on the full disk, or the file. */
function expectNoSpace({ code, stdout, stderr }: Ended, disk: string): void {
  expect(stderr).toMatch(
    new RegExp(
      `^error: .*${disk}.*no space left on the disk.*\\n([ ]{2}.*\\n)*hint: .*free some space.*\\n$`,
      'm',
    ),
  );
  expect(stderr.match(/^error:/gm)).toHaveLength(1);
  expect({ code, stdout }).toEqual({ code: 7, stdout: '' });
}

describe.skipIf(process.getuid?.() !== 0)('a disk that is full', () => {
  test('where the release goes: nothing of it stays, and with room it is the same', () =>
    onSmallDisk('small-output', async (disk, resize) => {
      const output = join(disk, 'dist');
      for (const part of [0.01, 0.3, 0.7, 0.9]) {
        await resize(Math.ceil((part * imageSize) / 1024));
        expectNoSpace(await build({ output }), disk);
        expect(await readdir(disk)).toEqual([]);
      }
      await resize(64 * 1024);
      expect(await build({ output })).toMatchObject({ code: 0 });
      expect(await releaseFiles(output)).toEqual(elsewhere);
    }));

  test('where the cache is: what was finished is kept, nothing else, and with room it is the same', () =>
    onSmallDisk('small-cache', async (disk, resize) => {
      await resize(16 * 1024);
      await makeCache(disk);
      let failures = 0;
      for (let kib = 15 * 1024; ; kib += 20 * 1024) {
        await resize(kib);
        const ended = await build({ from: disk, output: `of-${kib}` });
        if (ended.code === 0) {
          expect(await releaseFiles(join(recipe, `of-${kib}`))).toEqual(elsewhere);
          break;
        }
        failures += 1;
        expectNoSpace(ended, disk);
        expect(await unfinishedIn(disk)).toEqual([]);
      }
      expect(failures).toBeGreaterThan(2);
    }));

  test('where the hook works: it is not the hook’s failure, and with room it works', () =>
    onSmallDisk('small-hook', async (disk, resize) => {
      const at = join(folder, 'recipe-of-hook');
      await makeSmallRecipe(at, {
        hook: { shell: 'head -c 64M /dev/zero > /usr/bin/k3s && chmod 755 /usr/bin/k3s' },
      });
      await resize(128 * 1024);
      await makeCache(disk);
      expectNoSpace(await build({ at, from: disk }), disk);
      expect(await unfinishedIn(disk)).toEqual([]);
      await resize(512 * 1024);
      expect(await build({ at, from: disk })).toMatchObject({ code: 0 });
    }));

  test('where the lock is: the old one stays as it was', () =>
    onSmallDisk('small-recipe', async (disk, resize) => {
      await resize(8 * 1024);
      await makeSmallRecipe(disk);
      const lock = await readFile(join(disk, 'sextant.lock.json'), 'utf8');
      const names = await readdir(disk);
      await run('sh', ['-c', `cat /dev/zero > ${disk}/filler || true`]);
      expectNoSpace(await build({ at: disk, output: join(folder, 'never') }), 'sextant.lock.json');
      expect(await readFile(join(disk, 'sextant.lock.json'), 'utf8')).toBe(lock);
      expect((await readdir(disk)).sort()).toEqual([...names, 'filler'].sort());
      await rm(join(disk, 'filler'));
      expect(await build({ at: disk, output: join(folder, 'of-recipe') })).toMatchObject({ code: 0 });
      expect(await releaseFiles(join(folder, 'of-recipe'))).toEqual(elsewhere);
    }));
});
