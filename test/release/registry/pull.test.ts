import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readCatalog } from '../../../src/release/catalog/fetch.ts';
import { LARGEST_CATALOG } from '../../../src/release/catalog/schema.ts';
import { publishedState } from '../../../src/release/matrix/published.ts';
import { releaseFrom } from '../../../src/release/obtain.ts';
import { pullRelease } from '../../../src/release/registry/release.ts';
import { silent } from '../../../src/support/progress.ts';
import { errorOf } from '../../sources/context.ts';
import { exampleRelease } from '../publish/example.ts';
import { type FakeRegistry, startFakeRegistry } from './fake-registry.ts';
import { publishTo } from './publishing.ts';

const TAG = 'v1.36.3-k3s0';
let folder: string;
let dist: string;
let registry: FakeRegistry;
let place: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-pull-'));
  dist = exampleRelease(join(folder, 'dist'), { signature: 'signed', size: 20_000 });
  vi.stubEnv('DOCKER_CONFIG', folder);
  registry = await startFakeRegistry();
  place = `oci://${registry.host}/acme/k8s:${TAG}`;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
  rmSync(folder, { recursive: true, force: true });
});

const context = () => ({
  cache: join(folder, 'cache'),
  progress: silent,
  signal: new AbortController().signal,
});
const contents = (at: string) =>
  Object.fromEntries(readdirSync(at).map((name) => [name, readFileSync(join(at, name)).toString('hex')]));

describe('whether a release is in a registry', () => {
  const state = (build = buildOf(dist)) => publishedState(place, build, context());
  const buildOf = (at: string): string =>
    JSON.parse(readFileSync(join(at, 'release.json'), 'utf8')).inputs.build;

  test('is told by its description, without its images', async () => {
    expect(await state()).toEqual({ state: 'absent' });
    await publishTo(registry.host, dist);
    const before = registry.requests.length;
    expect(await state()).toEqual({ state: 'unchanged' });
    const fetched = registry.requests.slice(before).filter(({ path }) => path.includes('/blobs/'));
    expect(fetched.length).toBeLessThanOrEqual(2);
    expect(await state('f'.repeat(64))).toEqual({ state: 'other', why: 'its inputs were others' });
  });

  test('is no while someone publishes another there', async () => {
    await publishTo(registry.host, dist);
    registry.tags.set(`${TAG}-release`, registry.tags.get(`${TAG}-tar`) ?? '');
    expect(await state()).toMatchObject({ state: 'other', why: 'its tags belong to two releases' });
  });

  test('is not known where the registry does not answer', async () => {
    registry.fault({ method: 'GET', path: /manifests/, status: 503, times: 99 });
    expect(await state()).toMatchObject({ state: 'unknown' });
  });
});

describe('a release in a registry', () => {
  test('comes back as it was published, signature too, and the second time out of the cache', async () => {
    const { tags } = await publishTo(registry.host, dist);
    const pulled = await pullRelease(place, context());
    expect(contents(pulled.folder)).toEqual(contents(dist));
    expect(pulled.address).toBe(place);
    const raw = tags.find(({ form, architecture }) => form === 'raw' && architecture === 'arm64');
    expect(pulled.references.arm64).toBe(raw?.reference);
    const before = registry.requests.filter(({ path }) => path.includes('/blobs/sha256:')).length;
    expect(await releaseFrom(place, context())).toBe(pulled.folder);
    expect(registry.requests.filter(({ path }) => path.includes('/blobs/sha256:'))).toHaveLength(before);
  });

  test('is refused while its tags belong to different releases', async () => {
    await publishTo(registry.host, dist);
    const other = exampleRelease(join(folder, 'other'), { build: 'b', size: 20_000 });
    const files = registry.tags.get(`${TAG}-release`);
    await publishTo(registry.host, other, { replace: true });
    registry.tags.set(`${TAG}-release`, files ?? '');
    const error = await errorOf(pullRelease(place, context()));
    expect(error).toMatchObject({ code: 'verification' });
    expect(error.message).toBe(`${place}: the tags ${TAG} and ${TAG}-release belong to different releases`);
  });

  test('that is not what its digests say is refused, and nothing is kept', async () => {
    await publishTo(registry.host, dist);
    const sbom = [...registry.blobs].find(([, data]) => data.toString().includes('SPDX-2.3'));
    registry.blobs.set(sbom?.[0] ?? '', Buffer.from('x'.repeat(sbom?.[1].length ?? 0)));
    expect(await errorOf(pullRelease(place, context()))).toMatchObject({ code: 'verification' });
    expect(readdirSync(join(folder, 'cache', 'built')).filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  test('that is not there says which', async () => {
    const error = await errorOf(pullRelease(place, context()));
    expect(error.message).toBe(`${registry.host}/acme/k8s:${TAG}: HTTP 404 Not Found`);
    expect(error.hint).toContain('check the tag');
  });

  test.each(['oci://host.test/acme/k8s', `oci://host.test/acme/k8s@sha256:${'0'.repeat(64)}`])(
    'has to be named by its tag: %s',
    async (named) => {
      expect(await errorOf(pullRelease(named, context()))).toMatchObject({ code: 'usage' });
    },
  );

  test('is no other artifact', async () => {
    registry.manifests.set('sha256:none', Buffer.from('[]'));
    registry.tags.set(TAG, 'sha256:none');
    const error = await errorOf(pullRelease(place, context()));
    expect(error).toMatchObject({ code: 'input', message: expect.stringContaining('not an OCI manifest') });
  });
});

test('a catalog in a registry that is huge is not fetched', async () => {
  const layer = {
    digest: `sha256:${'a'.repeat(64)}`,
    size: LARGEST_CATALOG + 1,
    annotations: { 'org.opencontainers.image.title': 'sextant-catalog.json' },
  };
  registry.manifests.set('sha256:huge', Buffer.from(JSON.stringify({ layers: [layer] })));
  registry.tags.set('catalog', 'sha256:huge');
  const error = await errorOf(readCatalog(`oci://${registry.host}/acme/k8s:catalog`, context()));
  expect(error).toMatchObject({ code: 'input', message: expect.stringContaining('so no catalog') });
  expect(registry.requests.filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
});
