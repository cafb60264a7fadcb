import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/support/subprocess.ts';
import { clockAhead, startSextant } from '../sextant.ts';
import { makeCache, makeSmallRecipe, writeRecipe } from './small-recipe.ts';

// A release with `signing:` in its recipe, from the keys to the node's configuration.

let folder: string;
let recipe: string;
const SMALL = { hook: { shell: 'echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s' } };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-signed-'));
  recipe = join(folder, 'recipe');
  await makeCache(join(folder, 'cache'));
  await makeSmallRecipe(recipe, SMALL);
  // The certificate beside the recipe, the key away from it.
  await makeKey(join(folder, 'release.key'), join(recipe, 'release.pem'));
  await makeKey(join(folder, 'other.key'), join(folder, 'other.pem'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function makeKey(key: string, certificate: string, days = 30): Promise<void> {
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=release',
    '-days',
    `${days}`,
  ];
  await run('openssl', [...request, '-keyout', key, '-out', certificate]);
}

const sextant = (...args: string[]) =>
  startSextant(args, { cwd: recipe, env: { SEXTANT_CACHE: join(folder, 'cache') } }).ended;

const inTwoMonths = (...args: string[]) =>
  startSextant(args, {
    cwd: recipe,
    env: { SEXTANT_CACHE: join(folder, 'cache'), NODE_OPTIONS: clockAhead(60) },
  }).ended;

const sign = (key: string) =>
  writeRecipe(recipe, { ...SMALL, more: { signing: { key, certificate: 'release.pem' } } });

test('a recipe with keys makes a signed release, its certificate beside it, and a strict activation', async () => {
  await sign(join(folder, 'release.key'));
  expect(await sextant('build')).toMatchObject({ code: 0 });
  const image = (await readdir(join(recipe, 'dist'))).find((name) => name.endsWith('.raw')) ?? '';
  expect(await sextant('verify', `dist/${image}`, '--cert', 'release.pem')).toMatchObject({ code: 0 });
  const other = await sextant('verify', `dist/${image}`, '--cert', join(folder, 'other.pem'));
  expect(other).toMatchObject({ code: 4 });
  expect(other.stderr).toMatch(/^error: .*sign.*$/im);
  const certificate = await readFile(join(recipe, 'release.pem'), 'utf8');
  expect(await readFile(join(recipe, 'dist', 'small.crt'), 'utf8')).toBe(certificate);
  const strict = await sextant('activation', '--strict');
  expect(strict).toMatchObject({ code: 0 });
  const wholeLines = strict.stdout.replaceAll(/^ +/gm, '');
  expect(wholeLines).toContain(certificate.trim());
});

test('an expired certificate is a warning, and a failure for who wants valid dates', async () => {
  await sign(join(folder, 'release.key'));
  expect(await sextant('build')).toMatchObject({ code: 0 });
  const image = (await readdir(join(recipe, 'dist'))).find((name) => name.endsWith('.raw')) ?? '';
  const verify = ['verify', `dist/${image}`, '--cert', 'release.pem', '--require-valid-dates'];
  expect(await sextant(...verify)).toMatchObject({ code: 0 });
  const warned = await inTwoMonths(...verify.slice(0, -1));
  expect(warned).toMatchObject({ code: 0 });
  expect(warned.stdout).toMatch(/^warning: .*certificate expired at/m);
  const refused = await inTwoMonths(...verify);
  expect(refused).toMatchObject({ code: 4, stdout: '' });
  expect(refused.stderr).toMatch(/^error: .*certificate expired at/m);
});

test('a certificate of another key is refused before anything is built', async () => {
  await sign(join(folder, 'other.key'));
  const ended = await sextant('build', '--output', 'elsewhere');
  expect(ended).toMatchObject({ code: 3 });
  expect(ended.stderr).toMatch(/^error: .*release\.pem.*$/m);
  expect(await readdir(recipe)).not.toContain('elsewhere');
});

test('a key that is not there is one clear line', async () => {
  await sign('missing.key');
  const ended = await sextant('build', '--output', 'elsewhere');
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toMatch(/^error: .*missing\.key.*$/m);
  expect(ended.stderr.match(/^error:/gm)).toHaveLength(1);
});
