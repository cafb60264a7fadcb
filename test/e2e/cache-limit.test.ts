import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sextant } from '../sextant.ts';
import { makeCache, makeSmallRecipe, releaseFiles } from './small-recipe.ts';

// A build keeps the cache within its limit by itself.

let folder: string;
let cache: string;
let recipe: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-limit-'));
  cache = join(folder, 'cache');
  recipe = join(folder, 'recipe');
  await makeSmallRecipe(recipe);
  await makeCache(cache);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const build = (limit: string, args: readonly string[] = [], wrap: readonly string[] = []) =>
  sextant(['build', ...args], {
    cwd: recipe,
    wrap,
    env: { SEXTANT_CACHE: cache, SEXTANT_CACHE_LIMIT: limit },
  });

test('a limit that is no size is told before anything is done', async () => {
  const before = await readdir(join(cache, 'built'));
  const { code, stdout, stderr } = build('plenty');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^error: SEXTANT_CACHE_LIMIT: "plenty" is not a size\nhint: .+\n$/);
  expect(await readdir(join(cache, 'built'))).toEqual(before);
});

test('what was not used goes, Go’s folders too; what this build used stays and builds again without any network', async () => {
  const unused = [
    `blobs/sha256/aa/${'a'.repeat(64)}`,
    `built/${'b'.repeat(64)}/file`,
    'go/build/00/entry-d',
    'go/mod/module@v1.0.0/go.mod',
  ].map((name) => join(cache, name));
  for (const file of unused) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, 'unused');
    for (const path of [file, dirname(file)]) await utimes(path, new Date(0), new Date(0));
  }
  await utimes(join(cache, 'go/mod'), new Date(0), new Date(0));
  expect(build('20G').stderr).not.toContain('from the cache');
  expect(unused.every((file) => existsSync(file))).toBe(true);

  await rm(join(recipe, 'dist'), { recursive: true });
  const { code, stderr } = build('1');
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(
    /^removed .+ from the cache, down to SEXTANT_CACHE_LIMIT or to what this build used$/m,
  );
  expect(unused.filter((file) => existsSync(file))).toEqual([]);
  const kept = (await readdir(join(cache, 'built'))).sort();

  // `--frozen`: whatever is missing would be an error.
  expect(build('1', ['--frozen', '--output', 'again'], ['unshare', '--net']).code).toBe(0);
  expect((await readdir(join(cache, 'built'))).sort()).toEqual(kept);
  expect(await releaseFiles(join(recipe, 'again'))).toEqual(await releaseFiles(join(recipe, 'dist')));
});
