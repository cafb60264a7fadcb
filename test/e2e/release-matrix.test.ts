import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ended, startSextant } from '../sextant.ts';
import { type GitHub, startGitHub } from '../sources/github.ts';
import { startServer, type TestServer } from '../sources/server.ts';
import { expectNoProcesses } from './remains.ts';
import { makeCache, makeSmallRecipe, writeRecipe } from './small-recipe.ts';

// A matrix from the command line to its folders: several releases at a time, one that fails, again, published, newer upstream.

let folder: string;
let cache: string;
let server: TestServer;
let github: GitHub;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-matrix-'));
  cache = join(folder, 'cache');
  await makeCache(cache);
  server = await startServer();
  github = await startGitHub();
  for (const tag of ['v1.35.7+k3s1', 'v1.36.3+k3s1']) github.release('k3s-io/k3s', tag, { k3s: tag });
});
afterAll(async () => {
  await server.close();
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (at: string, ...args: string[]): Promise<Ended> =>
  startSextant(args, { cwd: at, env: { SEXTANT_CACHE: cache } }).ended;

interface Facts {
  readonly id: string;
  readonly state: string;
  readonly version: string | null;
  readonly folder: string | null;
  readonly error?: { readonly code: string; readonly message: string };
}
const facts = ({ stdout, stderr }: Ended): readonly Facts[] => {
  expect(stdout, stderr).toMatch(/^\{/);
  return (JSON.parse(stdout) as { releases: Facts[] }).releases;
};
const states = (ended: Ended) => Object.fromEntries(facts(ended).map(({ id, state }) => [id, state]));

/** A recipe with a matrix, and locks that hold the tools for these of its releases. */
async function recipe(matrix: readonly object[], ids: readonly string[]): Promise<string> {
  const at = await mkdtemp(join(folder, 'recipe-'));
  await makeSmallRecipe(at, { more: more(matrix) });
  for (const id of ids) await copyFile(join(at, 'sextant.lock.json'), join(at, `sextant.${id}.lock.json`));
  return at;
}
const more = (matrix: readonly object[]) => ({
  matrix,
  mirrors: github.mirrors,
  release: { url: `${server.url}/{version}` },
});

test('each version of the matrix becomes a release; what is done stays done; what is published is not built', async () => {
  const at = await recipe(
    [{ versions: ['~1.36', '~1.35', 'v1.36.3+k3s1'] }],
    ['k3s-1.36', 'k3s-1.35', 'k3s-v1.36.3+k3s1'],
  );
  const first = await run(at, 'release', '--jobs', '2', '--json');
  expect(first.code, first.stderr).toBe(0);
  const rows = facts(first);
  expect(rows.map(({ id, version }) => [id, version])).toEqual([
    ['k3s-1.36', 'v1.36.3+k3s1'],
    ['k3s-1.35', 'v1.35.7+k3s1'],
    ['k3s-v1.36.3+k3s1', 'v1.36.3+k3s1'],
  ]);
  // Two rows came to one version: one of them builds it.
  expect(rows.map(({ state }) => state).sort()).toEqual(['built', 'built', 'same']);
  expect((await readdir(join(at, 'dist'))).sort()).toEqual(['k3s-v1.35.7+k3s1', 'k3s-v1.36.3+k3s1']);
  // Piped, lines and no control characters.
  expect(first.stderr).toMatch(/^k3s-1.35: building {2}v1.35.7\+k3s1$/m);
  expect(first.stderr).not.toMatch(/[^\P{Cc}\n]/u);

  // A folder of these is built no more; one that is damaged is.
  await writeFile(join(at, 'dist/k3s-v1.35.7+k3s1/activation.yaml'), 'damaged');
  const second = await run(at, 'release', '--json', '--frozen');
  expect(states(second)).toMatchObject({ 'k3s-1.35': 'built' });
  expect(Object.values(states(second)).sort()).toEqual(['built', 'present', 'same']);

  // Published at its own address: what is there is left, the other is built anew into an empty folder.
  for (const name of ['release.json', 'SHA256SUMS']) {
    const body = await readFile(join(at, 'dist/k3s-v1.36.3+k3s1', name));
    server.on(`/1.36.3+k3s1/${name}`, { body });
  }
  await rm(join(at, 'dist'), { recursive: true });
  const third = await run(at, 'release', '--json', '--only', 'k3s-1.36', '--only', 'k3s-1.35');
  expect(states(third)).toEqual({ 'k3s-1.36': 'published', 'k3s-1.35': 'built' });
  expect(await readdir(join(at, 'dist'))).toEqual(['k3s-v1.35.7+k3s1']);

  // And a folder can be what is published.
  const moved = await run(at, 'release', '--only', 'k3s-1.35', '--published', 'dist', '--output', 'other');
  expect(moved.stdout).toMatch(/^ {2}k3s-1.35 +v1.35.7\+k3s1 +published/m);
  expect(await run(at, 'release', '--only', 'k3s-1.35', '--no-published', '--output', 'other')).toMatchObject(
    { code: 0 },
  );
  expect(await readdir(join(at, 'other'))).toEqual(['k3s-v1.35.7+k3s1']);
});

test('one that fails leaves the others standing, says so by its exit code, and the next call mends it', async () => {
  const at = await recipe(
    [{ versions: ['v1.36.3+k3s1', 'v1.35.7+k3s1'] }],
    ['k3s-v1.36.3+k3s1', 'k3s-v1.35.7+k3s1'],
  );
  // The only release of a matrix that fails ends as a build of it would.
  await writeRecipe(at, { hook: { shell: 'exit 3' }, more: more([{ versions: ['v1.35.7+k3s1'] }]) });
  expect(await run(at, 'release')).toMatchObject({ code: 5 });
  await writeRecipe(at, {
    more: more([{ versions: ['v1.36.3+k3s1'] }, { distribution: 'k0s', versions: ['~9.9'] }]),
  });
  const partial = await run(at, 'release', '--json');
  expect(partial.code, partial.stderr).toBe(8);
  expect(states(partial)).toEqual({ 'k3s-v1.36.3+k3s1': 'built', 'k0s-9.9': 'failed' });
  expect(partial.stderr).toMatch(
    /error: sextant.yaml: 1 of 2 releases failed\n {2}k0s-9.9: .*k0sproject\/k0s/,
  );
  expect(await readdir(join(at, 'dist'))).toEqual(['k3s-v1.36.3+k3s1']);
});

test('a newer release upstream is found, locked as a few lines, and built', async () => {
  const at = await recipe([{ versions: ['~1.36'] }], ['k3s-1.36']);
  expect(await run(at, 'release')).toMatchObject({ code: 0 });
  const before = await readFile(join(at, 'sextant.k3s-1.36.lock.json'), 'utf8');
  expect(await run(at, 'watch-upstream', '--no-tools', '--write')).toMatchObject({ code: 0 });
  expect(await readFile(join(at, 'sextant.k3s-1.36.lock.json'), 'utf8')).toBe(before);
  github.release('k3s-io/k3s', 'v1.36.4+k3s1', { k3s: 'newer' });
  const found = await run(at, 'watch-upstream', '--no-tools', '--write', '--markdown');
  expect(found, found.stderr).toMatchObject({ code: 9 });
  expect(found.stdout).toContain('`k3s` `v1.36.3+k3s1` → `v1.36.4+k3s1`');
  const after = await readFile(join(at, 'sextant.k3s-1.36.lock.json'), 'utf8');
  const lines = (text: string) => text.split('\n');
  const changed = lines(after).filter((line, number) => line !== lines(before)[number]);
  expect(changed.map((line) => line.trim())).toEqual(['"version": "v1.36.4+k3s1"']);
  const built = await run(at, 'release', '--frozen', '--json');
  expect(facts(built)).toMatchObject([{ state: 'built', version: 'v1.36.4+k3s1' }]);
});

test('interrupted, it ends at once and leaves nothing half-made; the next call goes on from there', async () => {
  const at = await recipe([{ versions: ['~1.36', '~1.35'] }], ['k3s-1.36', 'k3s-1.35']);
  expect(await run(at, 'release', '--only', 'k3s-1.35')).toMatchObject({ code: 0 });
  const whole = await readFile(join(at, 'dist/k3s-v1.35.7+k3s1/release.json'), 'utf8');
  await writeRecipe(at, { hook: { shell: 'sleep 600' }, more: more([{ versions: ['~1.36', '~1.35'] }]) });
  const running = startSextant(['release', '--jobs', '1'], { cwd: at, env: { SEXTANT_CACHE: cache } });
  await running.said(/k3s-1\.36: locking/);
  running.interrupt();
  const ended = await running.ended;
  expect(ended.code, ended.stderr).toBe(130);
  expect(await readdir(join(at, 'dist'))).toEqual(['k3s-v1.35.7+k3s1']);
  await expectNoProcesses(folder);
  await writeRecipe(at, { more: more([{ versions: ['~1.36', '~1.35'] }]) });
  const again = await run(at, 'release', '--json');
  expect(states(again)).toMatchObject({ 'k3s-1.36': 'built' });
  expect(await readFile(join(at, 'dist/k3s-v1.35.7+k3s1/release.json'), 'utf8')).toBe(whole);
});
