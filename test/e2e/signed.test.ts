import { X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkBillOfMaterials, imageContents } from '../../src/release/verification/bill-of-materials.ts';
import type { SextantError } from '../../src/support/errors.ts';
import { fileDigest } from '../../src/support/files.ts';
import { silent } from '../../src/support/progress.ts';
import { run } from '../../src/support/subprocess.ts';
import { clockAhead, startSextant } from '../sextant.ts';
import { makeCache, makeSmallRecipe, releaseFiles, writeRecipe } from './small-recipe.ts';

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

test('the whole of it verifies offline by its certificate and lock, and the same key and lock give the same bytes', async () => {
  const whole = await sextant('verify', 'dist', '--cert', 'release.pem', '--lock', 'sextant.lock.json');
  expect(whole).toMatchObject({ code: 0, stderr: expect.not.stringContaining('warning') });
  expect(whole.stdout).toMatch(/list the \d+ files and \d+ Go modules that are in it/);
  const other = await sextant('verify', 'dist', '--cert', join(folder, 'other.pem'));
  expect(other).toMatchObject({ code: 4, stdout: '' });
  expect(other.stderr).toMatch(/^error: .*SHA256SUMS\.sig: .*another key.*$/m);
  expect(await sextant('build', '--output', 'again', '--frozen')).toMatchObject({ code: 0 });
  expect(await releaseFiles(join(recipe, 'again'))).toEqual(await releaseFiles(join(recipe, 'dist')));
});

test('a bill of materials that leaves a file out, or is of another image, is told', async () => {
  const dist = join(recipe, 'dist');
  const [image = '', bill = ''] = ['.raw', '.cdx.json'].map((ending) =>
    readdirSync(dist).find((name) => name.endsWith(ending)),
  );
  const contents = await imageContents(join(dist, image), {
    cache: join(folder, 'cache'),
    progress: silent,
    signal: new AbortController().signal,
  });
  const { sha256 } = await fileDigest(join(dist, image));
  const said = await readFile(join(dist, bill), 'utf8');
  const changed = async (text: string, about = sha256, holds = contents) => {
    await writeFile(join(folder, 'bill.json'), text);
    const error = await checkBillOfMaterials(join(folder, 'bill.json'), { file: image, sha256: about }, holds)
      .then(() => undefined)
      .catch((thrown: SextantError) => thrown);
    return error?.message.slice(folder.length + 1);
  };
  expect(await changed(said)).toBeUndefined();
  expect(await changed(said.replace('"/usr/bin/k3s"', '"/usr/bin/k9s"'))).toMatch(
    /does not list \/usr\/bin\/k3s/,
  );
  expect(await changed(said, '0'.repeat(64))).toMatch(/is about another image than/);
  expect(await changed(said.slice(0, -100))).toMatch(/is cut off, or not JSON/);
  expect(await changed('{}')).toMatch(/not a bill of materials/);
  const more = { ...contents, modules: new Set(['a.b/c v1.2.3']) };
  expect(await changed(said, sha256, more)).toMatch(
    /does not list the Go module a\.b\/c v1\.2\.3, which is in/,
  );
});

test('a release during a rotation brings both certificates to strict nodes, each in a file of its own', async () => {
  const also = join(folder, 'other.pem');
  await writeRecipe(recipe, {
    ...SMALL,
    more: { signing: { key: join(folder, 'release.key'), certificate: 'release.pem', alsoTrust: [also] } },
  });
  expect(await sextant('build', '--output', 'both')).toMatchObject({ code: 0 });
  expect(await sextant('verify', 'both', '--cert', 'release.pem')).toMatchObject({ code: 0 });
  const strict = await sextant('activation', 'both', '--strict');
  const paths = strict.stdout.match(/\/etc\/verity\.d\/\S+\.crt/g);
  const short = new X509Certificate(await readFile(also)).fingerprint256
    .replaceAll(':', '')
    .toLowerCase()
    .slice(0, 8);
  expect([...new Set(paths)].sort()).toEqual([`/etc/verity.d/small-${short}.crt`, '/etc/verity.d/small.crt']);
  expect(await readFile(join(recipe, 'both', `small-${short}.crt`), 'utf8')).toBe(
    await readFile(also, 'utf8'),
  );
});

test('a key that others can read signs nothing', async () => {
  await sign(join(folder, 'release.key'));
  await chmod(join(folder, 'release.key'), 0o644);
  const ended = await sextant('build', '--output', 'elsewhere').finally(() =>
    chmod(join(folder, 'release.key'), 0o600),
  );
  expect(ended).toMatchObject({ code: 3 });
  expect(ended.stderr).toMatch(/^error: .*release\.key: others can read or write it \(mode 0644\).*$/m);
  expect(await readdir(recipe)).not.toContain('elsewhere');
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
