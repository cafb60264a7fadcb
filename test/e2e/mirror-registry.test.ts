import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { mirroredPlace } from '../../src/node/catalog/place.ts';
import { readCatalog } from '../../src/node/catalog/read.ts';
import { obtainImage } from '../../src/node/download/obtain.ts';
import { blobAddress } from '../../src/node/download/registry.ts';
import { storeFile } from '../../src/node/model/paths.ts';
import { hostArchitecture } from '../../src/support/architecture.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { realPrograms, rootedHost } from '../node/rooted.ts';
import {
  judge,
  type RealRegistry,
  realRegistryCommand,
  startServer as startProgram,
} from '../release/registry/real-registry.ts';
import { type Ended, startSextant } from '../sextant.ts';
import { startServer, type TestServer } from '../sources/server.ts';
import { closed, NO_PROXIES } from './closed.ts';
import { closedNode } from './closed-node.ts';
import { downloaded, makeSmallRecipe, mirroredTo, releaseFiles } from './small-recipe.ts';

// A closed network with a registry and nothing else: Debian's docker-registry, filled outside by `sextant mirror`.

const HOST = hostArchitecture() ?? 'amd64';
const PORT = 8098;
const MIRROR = `127.0.0.1:${PORT}/acme/mirror`;
const RELEASE = 'v1.36.3-k3s1';
let folder: string;
let outside: TestServer;
let registry: RealRegistry;
let recipe: string;
let command: readonly string[];

/** The registry runs beside the command, and ends with it. */
const withRegistry = () =>
  closed(
    `${command.map((word) => `'${word}'`).join(' ')} >/dev/null 2>&1 & sleep 2`,
    '"$@"; code=$?; kill $! 2>/dev/null; exit $code',
  );

const run = (
  at: string,
  args: readonly string[],
  options: { readonly cache?: string; readonly wrap?: readonly string[] } = {},
): Promise<Ended> =>
  startSextant(args, {
    cwd: at,
    env: { SEXTANT_CACHE: options.cache ?? cacheFolder(), ...NO_PROXIES },
    ...(options.wrap === undefined ? {} : { wrap: options.wrap }),
  }).ended;
const done = (ended: Ended) => {
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-mirror-'));
  outside = await startServer();
  outside.on('/tool', { body: '#!/bin/sh\necho tool\n' });
  recipe = join(folder, 'outside');
  await makeSmallRecipe(recipe, {
    components: [downloaded('tool')],
    more: { mirrors: mirroredTo(outside.url) },
  });
  const data = join(folder, 'registry');
  await mkdir(data);
  command = realRegistryCommand(data, { port: PORT });
  const [program = '', ...args] = command;
  registry = await startProgram(program, args, undefined);
});
afterAll(async () => {
  await registry.close();
  await outside.close();
  await rm(folder, { recursive: true, force: true });
});

const mirror = (...args: readonly string[]) =>
  run(recipe, ['mirror', '--host', HOST, '--output', `oci://${MIRROR}`, '--json', ...args]);

test('everything a recipe needs goes into a repository, with a release and a signed catalog', async () => {
  done(await run(recipe, ['build']));
  done(await run(recipe, ['key', 'create', 'catalog']));
  const address = 'https://upstream.test/k3s';
  done(
    await run(recipe, ['catalog', 'add', 'catalog', 'dist', '--address', address, '--key', 'catalog.key']),
  );
  const made = JSON.parse(done(await mirror('--release', 'dist', '--catalog', 'catalog')).stdout);
  expect(made).toMatchObject({
    repository: MIRROR,
    recipe: 'recipe/sextant.yaml',
    catalog: 1,
    releases: [{ name: 'k3s-v1.36.3+k3s1', activation: 'activation/k3s-v1.36.3+k3s1.yaml' }],
  });
  expect(made.tags).toEqual([
    expect.stringMatching(/^inputs-[0-9a-f]{12}$/),
    'inputs',
    RELEASE,
    'catalog',
    'recipe',
  ]);
  // Once more: all of it is there, and nothing outside is asked.
  const requests = outside.requests.length;
  const again = JSON.parse(done(await mirror('--release', 'dist', '--catalog', 'catalog')).stdout);
  expect(again).toMatchObject({ written: 0, tags: made.tags });
  expect(outside.requests.length).toBe(requests);
});

test('oras lays out the inputs under the paths of a mirror that is a folder', async () => {
  const at = await mkdtemp(join(folder, 'inputs-'));
  judge('oras', ['pull', '--plain-http', `${MIRROR}:inputs`, '--output', at]);
  expect(await readFile(join(at, 'http/releases.test/tool'), 'utf8')).toBe('#!/bin/sh\necho tool\n');
});

const artifact = () =>
  judge('oras', ['resolve', '--plain-http', '--platform', `linux/${HOST}`, `${MIRROR}:${RELEASE}`]).trim();

test('oras lays out the catalog, signed as it was, and what Kairos reads of it names this registry', async () => {
  const at = await mkdtemp(join(folder, 'catalog-'));
  judge('oras', ['pull', '--plain-http', `${MIRROR}:catalog`, '--output', at]);
  const { repo, layers } = JSON.parse(await readFile(join(at, 'releases.json'), 'utf8'));
  expect(repo).toBe(`catalog, mirrored in ${MIRROR}`);
  expect(layers[0].tags[0].sysext[HOST].oci).toBe(`${MIRROR}@${artifact()}`);
  const checked = await run(at, ['catalog', 'check', at, '--trust', join(recipe, 'catalog.pub')]);
  expect(done(checked).stdout).toContain(`releases.json is for what the mirror ${MIRROR} holds`);
});

test('with an empty cache and no network but the registry, the recipe that oras pulls builds the same release', async () => {
  const at = await mkdtemp(join(folder, 'inside-'));
  judge('oras', ['pull', '--plain-http', `${MIRROR}:recipe`, '--output', at]);
  expect((await stat(join(at, 'recipe/agent-provider-test'))).mode & 0o111).not.toBe(0);
  expect(parse(await readFile(join(at, 'recipe/sextant.yaml'), 'utf8')).mirrors).toContainEqual({
    from: 'http://releases.test/',
    to: `oci://${MIRROR}`,
  });
  const [image] = Object.keys(await releaseFiles(join(recipe, 'dist'))).filter((name) =>
    name.endsWith('.raw'),
  );
  const { images } = JSON.parse(await readFile(join(recipe, 'dist/release.json'), 'utf8'));
  expect(images[0].file).toBe(image);
  expect(await readFile(join(at, 'activation/k3s-v1.36.3+k3s1.yaml'), 'utf8')).toContain(
    `http://127.0.0.1:${PORT}/v2/acme/mirror/blobs/sha256:${images[0].sha256}`,
  );
  const activation = await readFile(join(at, 'activation/k3s-v1.36.3+k3s1.yaml'), 'utf8');
  const { node, image: bytes } = await closedNode(
    [...withRegistry(), 'sh'],
    activation,
    join(recipe, 'dist'),
  );
  await registry.close();
  const inside = { cache: join(folder, 'cache-inside'), wrap: withRegistry() };
  const began = await run(join(at, 'recipe'), ['build'], inside);
  // The same release is fetched back out of the registry, and the catalog is checked there, without any other network.
  const trust = join(recipe, 'catalog.pub');
  const checked = await run(at, ['catalog', 'check', `oci://${MIRROR}:catalog`, '--trust', trust], inside);
  const shown = await run(at, ['catalog', 'show', `oci://${MIRROR}:catalog`, '--json'], inside);
  const added = await run(at, ['catalog', 'add', 'own', `oci://${MIRROR}:${RELEASE}`], inside);
  // A node installs it by the activation file that oras pulled, with nothing but the registry either.
  const installed = await node.command('run');
  const [program = '', ...args] = command;
  registry = await startProgram(program, args, undefined);
  done(began);
  expect(installed.code, installed.said).toBe(0);
  expect(installed.said).toContain('is merged, dm-verity in use');
  expect((await readFile(node.file(bytes))).equals(bytes)).toBe(true);
  await node.remove();
  expect(await releaseFiles(join(at, 'recipe/dist'))).toEqual(await releaseFiles(join(recipe, 'dist')));
  expect(done(checked).stdout).toContain('serial 1, 1 releases, signed by');
  expect(JSON.parse(done(shown).stdout)).toEqual(
    JSON.parse(await readFile(join(recipe, 'catalog/sextant-catalog.json'), 'utf8')),
  );
  done(added);
  const [release] = JSON.parse(await readFile(join(at, 'own/sextant-catalog.json'), 'utf8')).releases;
  expect(release.address).toBe(`oci://${MIRROR}:${RELEASE}`);
  // Kairos finds the artifact by its digest, as it was published.
  const kairos = JSON.parse(await readFile(join(at, 'own/releases.json'), 'utf8'));
  expect(kairos.layers[0].tags[0].sysext[HOST].oci).toBe(`${MIRROR}@${artifact()}`);
});

test('sextant-node reads the catalog there, and fetches its release out of the mirror and not from where the catalog says', async () => {
  const root = await mkdtemp(join(folder, 'node-'));
  realPrograms(root, ['curl', 'sha256sum', 'openssl']);
  await mkdir(join(root, 'run/sextant'), { recursive: true });
  const host = rootedHost(root);
  const trust = await readFile(join(recipe, 'catalog.pub'), 'utf8');
  const mirrored = `oci://${MIRROR}`;
  const catalog = readCatalog(host, { address: `${mirrored}:catalog`, mirror: mirrored, trust });
  expect(catalog).toMatchObject({ serial: 1, signed: true });
  const [listed] = catalog.releases;
  const image = listed?.images.find(({ architecture }) => architecture === HOST);
  if (listed === undefined || image === undefined) throw new Error('not in the catalog');
  expect(listed.address).toBe('https://upstream.test/k3s');
  const { release: place } = mirroredPlace(mirrored, listed);
  const file = { name: listed.name, sha256: image.sha256, rootHash: image.rootHash, size: image.size };
  obtainImage(host, file, { kind: 'registry', place: blobAddress(place, image.sha256) }, () => {});
  const built = await readFile(join(recipe, 'dist', image.file));
  expect((await readFile(join(root, storeFile(file)))).equals(built)).toBe(true);
});

test('without the registry nothing is built there: the network is closed indeed', async () => {
  const at = join(folder, 'nothing');
  judge('oras', ['pull', '--plain-http', `${MIRROR}:recipe`, '--output', at]);
  const ended = await run(join(at, 'recipe'), ['build'], {
    cache: join(folder, 'cache-none'),
    wrap: closed(':'),
  });
  expect(ended.code).toBe(6);
  expect(ended.stderr).toContain(`127.0.0.1:${PORT}`);
  expect(ended.stderr).toContain('the connection was refused');
});

test('an older catalog does not take the place of a newer one', async () => {
  const old = join(recipe, 'old');
  await cp(join(recipe, 'catalog'), old, { recursive: true });
  const why = ['--why', 'loses addresses', '--key', 'catalog.key'];
  done(await run(recipe, ['catalog', 'yank', 'catalog', 'v1.36.3+k3s1', ...why]));
  done(await mirror('--catalog', 'catalog'));
  const ended = await mirror('--catalog', 'old');
  expect(ended.code).toBe(4);
  expect(ended.stderr).toContain(`has serial 1, the mirror ${MIRROR} has 2 already`);
});

test('one repository is the mirror of one recipe, and has no tag', async () => {
  const other = join(folder, 'other');
  await cp(recipe, other, { recursive: true });
  const text = await readFile(join(other, 'sextant.yaml'), 'utf8');
  await writeFile(join(other, 'sextant.yaml'), text.replace('name: small', 'name: another'));
  const ended = await run(other, ['mirror', '--output', `oci://${MIRROR}`]);
  expect(ended.code).toBe(3);
  expect(ended.stderr).toContain(`${MIRROR}:recipe: holds the mirror of another recipe (small k3s)`);
  const tagged = await run(recipe, ['mirror', '--output', `oci://${MIRROR}:v1`]);
  expect(tagged).toMatchObject({ code: 2, stderr: expect.stringContaining('without a tag') });
});
