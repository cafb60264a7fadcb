import { existsSync } from 'node:fs';
import { copyFile, cp, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { hostArchitecture } from '../../src/support/architecture.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { sha256 } from '../../src/support/files.ts';
import { type Ended, startSextant } from '../sextant.ts';
import { startServer, type TestServer } from '../sources/server.ts';
import { closed, NO_PROXIES } from './closed.ts';
import { closedNode } from './closed-node.ts';
import { downloaded, makeSmallRecipe, mirroredTo, releaseFiles } from './small-recipe.ts';

// A closed network: what `sextant mirror` filled outside is all there is inside, in a network namespace without any way out.

const HOST = hostArchitecture() ?? 'amd64';
const MIRROR = 'http://127.0.0.1:8099';
let folder: string;
let outside: TestServer;
let recipe: string;
let mirror: string;

/** The web server runs beside the command, and ends with it. */
const withServer = () =>
  closed(
    `python3 -m http.server --bind 127.0.0.1 --directory ${mirror} 8099 >/dev/null 2>&1 & sleep 1`,
    '"$@"; code=$?; kill $! 2>/dev/null; exit $code',
  );

const run = (
  at: string,
  args: readonly string[],
  options: { readonly cache?: string; readonly wrap?: readonly string[] } = {},
): Promise<Ended> =>
  startSextant(args, {
    cwd: at,
    env: {
      SEXTANT_CACHE: options.cache ?? cacheFolder(),
      ...(options.wrap === undefined
        ? {}
        : {
            GOPROXY: 'https://proxy.golang.org',
            ...NO_PROXIES,
          }),
    },
    ...(options.wrap === undefined ? {} : { wrap: options.wrap }),
  }).ended;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-mirror-'));
  outside = await startServer();
  outside.on('/tool', { body: '#!/bin/sh\necho tool\n' });
  outside.on('/images.tar.zst', { body: 'container images' });
  outside.on('/hook/', { body: 'what the hook asks for' });
  recipe = join(folder, 'outside');
  mirror = join(folder, 'mirror');
  await makeSmallRecipe(recipe, {
    components: [
      downloaded('tool'),
      {
        name: 'images',
        standin: true,
        containerImages: true,
        source: { type: 'url', url: 'http://releases.test/images.tar.zst', version: 'distribution' },
      },
    ],
    more: { mirrors: mirroredTo(outside.url) },
  });
});
afterAll(async () => {
  await outside.close();
  await rm(folder, { recursive: true, force: true });
});

test('everything a recipe needs goes into a folder, with the recipe that builds from it and a release for nodes', async () => {
  expect(await run(recipe, ['build'])).toMatchObject({ code: 0 });
  const made = await run(recipe, [
    'mirror',
    '--host',
    HOST,
    '--output',
    mirror,
    '--url',
    MIRROR,
    '--release',
    'dist',
    '--json',
  ]);
  expect(made.code, made.stderr).toBe(0);
  const name = 'k3s-v1.36.3+k3s1';
  expect(JSON.parse(made.stdout)).toMatchObject({
    recipe: 'recipe/sextant.yaml',
    releases: [{ name, activation: `activation/${name}.yaml` }],
  });
  const listed = JSON.parse(await readFile(join(mirror, 'mirror.json'), 'utf8')) as {
    files: { path: string; url?: string; sha256: string }[];
  };
  for (const { path, sha256: digest } of listed.files) {
    expect(sha256(await readFile(join(mirror, path))), path).toBe(digest);
  }
  expect(listed.files.find(({ path }) => path === 'http/releases.test/tool')?.url).toBe(
    'http://releases.test/tool',
  );
  // Nodes of the closed network fetch the very release, from the mirror.
  expect(await releaseFiles(join(mirror, 'releases', name))).toEqual(
    await releaseFiles(join(recipe, 'dist')),
  );
  const activation = await readFile(join(mirror, 'activation', `${name}.yaml`), 'utf8');
  expect(activation).toContain(
    `${MIRROR}/releases/k3s-v1.36.3%2Bk3s1/small-v1.36.3%2Bk3s1-${HOST}.sysext.raw`,
  );
  expect(activation).not.toContain('127.0.0.1:8080');
  expect(parse(await readFile(join(mirror, 'recipe/sextant.yaml'), 'utf8')).mirrors).toContainEqual({
    from: 'http://releases.test/',
    to: `${MIRROR}/http/releases.test/`,
  });
  // Once more, with nothing left outside: all of it is there.
  const requests = outside.requests.length;
  const again = await run(recipe, ['mirror', '--host', HOST, '--output', mirror, '--url', MIRROR, '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ written: 0 });
  expect(outside.requests.length).toBe(requests);
});

test('with an empty cache and no network but a web server of the mirror, the same release is built', async () => {
  const at = join(folder, 'inside');
  await cp(join(mirror, 'recipe'), at, { recursive: true });
  const ended = await run(at, ['build'], {
    cache: join(folder, 'cache-http'),
    wrap: withServer(),
  });
  expect(ended.code, ended.stderr).toBe(0);
  expect(await releaseFiles(join(at, 'dist'))).toEqual(await releaseFiles(join(recipe, 'dist')));
});

describe('the activation file of the mirror', () => {
  test('installs the release on a node, with no network but a web server of the mirror', async () => {
    const { node, image } = await closedNode(
      [...withServer(), 'sh'],
      await readFile(join(mirror, 'activation/k3s-v1.36.3+k3s1.yaml'), 'utf8'),
      join(recipe, 'dist'),
    );
    const { code, said } = await node.command('run');
    expect(code, said).toBe(0);
    expect(said).toContain(`fetching ${MIRROR}/releases/k3s-v1.36.3%2Bk3s1/`);
    expect(said).toContain('is merged, dm-verity in use');
    expect((await readFile(node.file(image))).equals(image)).toBe(true);
    expect(await readlink(node.link)).toBe(`../sextant/${sha256(image)}/small.sysext.raw`);
    expect(await node.verified()).toBe(true);
    await node.remove();
  });

  test('installs nothing where there is no mirror: the network is closed indeed', async () => {
    const { node, image } = await closedNode(
      [...closed(':'), 'sh'],
      await readFile(join(mirror, 'activation/k3s-v1.36.3+k3s1.yaml'), 'utf8'),
      join(recipe, 'dist'),
    );
    expect((await node.command('once')).code).toBe(1);
    expect([existsSync(node.file(image)), existsSync(node.link), node.merged()]).toEqual([
      false,
      false,
      false,
    ]);
    await node.remove();
  });
});

test('without the mirror nothing is built there: the network is closed indeed', async () => {
  const at = join(folder, 'nothing');
  await cp(join(mirror, 'recipe'), at, { recursive: true });
  const ended = await run(at, ['build'], { cache: join(folder, 'cache-none'), wrap: closed(':') });
  expect(ended.code).toBe(6);
  expect(ended.stderr).toMatch(/error: http:\/\/127\.0\.0\.1:8099\/.*: the connection was refused/);
  expect(await readdir(at)).not.toContain('dist');
});

test('a tampered file of the mirror is refused by its digest', async () => {
  const at = join(folder, 'tampered');
  const bad = join(folder, 'bad-mirror');
  const made = await run(recipe, ['mirror', '--host', HOST, '--output', bad]);
  expect(made.code, made.stderr).toBe(0);
  await writeFile(join(bad, 'http/releases.test/tool'), '#!/bin/sh\necho evil\n');
  await cp(join(bad, 'recipe'), at, { recursive: true });
  // A cache that has all but this one: the mirror is a folder here, without any server.
  const cache = join(folder, 'cache-http');
  const digest = sha256('#!/bin/sh\necho tool\n');
  await rm(join(cache, 'blobs/sha256', digest.slice(0, 2), digest));
  await rm(join(cache, 'built'), { recursive: true });
  const ended = await run(at, ['build'], { cache, wrap: closed(':') });
  expect(ended.code, ended.stderr).toBe(4);
  expect(ended.stderr).toContain('http://releases.test/tool (asked at file://');
});

test('a folder that holds something else is not touched', async () => {
  const at = await mkdtemp(join(folder, 'foreign-'));
  await copyFile(join(recipe, 'sextant.yaml'), join(at, 'letters.txt'));
  const ended = await run(recipe, ['mirror', '--output', at]);
  expect(ended).toMatchObject({ code: 7, stderr: expect.stringContaining('holds letters.txt') });
  expect(await readdir(at)).toEqual(['letters.txt']);
});
