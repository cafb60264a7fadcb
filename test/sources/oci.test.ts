import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { oci } from '../../src/sources/oci/index.ts';
import { parseChallenge } from '../../src/support/registry/challenge.ts';
import { parseReference, repositoryUrl } from '../../src/support/registry/reference.ts';
import { componentOf } from './component.ts';
import { contextFor, errorOf, withFolder } from './context.ts';
import { type Registry, startRegistry } from './registry.ts';
import { sha256 } from './server.ts';
import { type RawEntry, tarOf } from './tar.ts';

const TITLE = 'org.opencontainers.image.title';
const raw = Buffer.from('the raw image');
const TAR = 'application/vnd.oci.image.layer.v1.tar+gzip';
let registry: Registry;

beforeEach(async () => {
  registry = await startRegistry();
  vi.stubEnv('DOCKER_CONFIG', '/nonexistent');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
});

const at = (reference: string, layer?: string) =>
  componentOf({
    type: 'oci',
    reference: `${registry.host}/${reference}`,
    ...(layer === undefined ? {} : { layer }),
  });

describe('an artifact', () => {
  test('is pinned by the digests of manifest and layers, and its titled layer is a file', () =>
    withFolder(async (cache) => {
      const pushed = registry.push('public/sysext', 'v1', [
        {
          mediaType: 'application/vnd.kairos.sysext.raw',
          data: raw,
          annotations: { [TITLE]: 'k3s.sysext.raw' },
        },
      ]);
      const { component, source } = at('public/sysext:v1');
      const context = contextFor(cache);
      const locked = await oci.resolve(component, source, 'amd64', context);
      const base = `http://${registry.host}/v2/public/sysext`;
      expect(locked.inputs).toEqual([
        { url: `${base}/manifests/${pushed.digest}`, size: pushed.size, sha256: pushed.digest.slice(7) },
        {
          url: `${base}/blobs/sha256:${sha256(raw)}`,
          size: raw.length,
          sha256: sha256(raw),
          checkedAgainst: `manifest ${pushed.digest}`,
        },
      ]);
      const folder = await oci.materialize(component, source, locked, 'amd64', context);
      expect(await readFile(join(folder, 'k3s.sysext.raw'))).toEqual(raw);
      expect(registry.objects.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    }));

  test('by digest comes again with an empty cache, and frozen asks nothing', () =>
    withFolder(async (folder) => {
      const pushed = registry.push('public/sysext', undefined, [
        { mediaType: 'x/raw', data: raw, annotations: { [TITLE]: 'file' } },
      ]);
      const { component, source } = at(`public/sysext@${pushed.digest}`);
      const locked = await oci.resolve(component, source, 'amd64', contextFor(join(folder, 'a')));
      expect(locked.inputs[0]?.checkedAgainst).toBe('the recipe');
      await oci.materialize(component, source, locked, 'amd64', contextFor(join(folder, 'b')));
      const asked = registry.server.requests.length;
      const frozen = contextFor(join(folder, 'b'), { frozen: true });
      await oci.materialize(component, source, locked, 'amd64', frozen);
      const nothing = contextFor(join(folder, 'c'), { frozen: true });
      expect((await errorOf(oci.materialize(component, source, locked, 'amd64', nothing))).code).toBe(
        'input',
      );
      expect(registry.server.requests).toHaveLength(asked);
    }));

  test('gives only the layers that the recipe names, by title or media type', () =>
    withFolder(async (cache) => {
      registry.push('public/two', 'v1', [
        { mediaType: 'x/one', data: Buffer.from('1'), annotations: { [TITLE]: 'one' } },
        { mediaType: 'x/two', data: Buffer.from('2'), annotations: { [TITLE]: 'two' } },
      ]);
      const context = contextFor(cache);
      for (const layer of ['two', 'x/two']) {
        const { component, source } = at('public/two:v1', layer);
        const locked = await oci.resolve(component, source, 'amd64', context);
        expect(locked.inputs).toHaveLength(2);
        expect(await readdir(await oci.materialize(component, source, locked, 'amd64', context))).toEqual([
          'two',
        ]);
      }
      const { component, source } = at('public/two:v1', 'three');
      const error = await errorOf(oci.resolve(component, source, 'amd64', context));
      expect(error.message).toContain('no layer three');
      expect(error.hint).toContain('one, two');
    }));

  test('with a title that leads outside is refused', () =>
    withFolder(async (cache) => {
      registry.push('public/evil', 'v1', [
        { mediaType: 'x/raw', data: raw, annotations: { [TITLE]: '../../escaped' } },
      ]);
      const { component, source } = at('public/evil:v1');
      const context = contextFor(cache);
      const locked = await oci.resolve(component, source, 'amd64', context);
      const error = await errorOf(oci.materialize(component, source, locked, 'amd64', context));
      expect(error.message).toContain('unsafe title "../../escaped"');
    }));

  test('whose layer is not what the manifest says is refused', () =>
    withFolder(async (cache) => {
      registry.push('public/bad', 'v1', [{ mediaType: 'x/raw', data: raw }]);
      registry.objects.on(`/sha256:${sha256(raw)}`, { body: 'other' });
      const { component, source } = at('public/bad:v1');
      const error = await errorOf(oci.resolve(component, source, 'amd64', contextFor(cache)));
      expect(error.code).toBe('verification');
      expect(error.message).toContain(sha256('other'));
    }));
});

describe('an image', () => {
  test('is chosen by architecture from its index, its layers laid over each other', () =>
    withFolder(async (cache) => {
      const config = (name: string) => ({
        mediaType: 'application/vnd.oci.image.config.v1+json',
        data: Buffer.from(JSON.stringify({ architecture: name })),
      });
      const layer = (...entries: RawEntry[]) => ({
        mediaType: TAR,
        data: gzipSync(tarOf(...entries)),
      });
      const manifests = ['amd64', 'arm64'].map((name) => ({
        ...registry.push(
          'public/image',
          undefined,
          [
            layer(
              { name: 'bin/tool', data: name },
              { name: 'etc/link', type: '2', target: '/etc/x' },
              { name: 'old', data: '' },
            ),
            layer({ name: '.wh.old' }, { name: 'new', data: '' }),
          ],
          config(name),
        ),
        platform: { os: 'linux', architecture: name },
      }));
      registry.pushIndex('public/image', 'v1', manifests);
      const { component, source } = at('public/image:v1');
      const context = contextFor(cache);
      const locked = await oci.resolve(component, source, 'arm64', context);
      expect(locked.inputs).toHaveLength(4);
      expect(locked.inputs[0]?.url).toContain(manifests[1]?.digest);
      const folder = await oci.materialize(component, source, locked, 'arm64', context);
      expect((await readdir(folder)).sort()).toEqual(['bin', 'etc', 'new']);
      expect(await readFile(join(folder, 'bin/tool'), 'utf8')).toBe('arm64');
    }));

  test('without the architecture says which there are', () =>
    withFolder(async (cache) => {
      const pushed = registry.push('public/one', undefined, [{ mediaType: TAR, data: raw }]);
      registry.pushIndex('public/one', 'v1', [
        { ...pushed, platform: { os: 'linux', architecture: 's390x' } },
      ]);
      const { component, source } = at('public/one:v1');
      const error = await errorOf(oci.resolve(component, source, 'amd64', contextFor(cache)));
      expect(error.message).toContain('nothing for linux/amd64, only for linux/s390x');
    }));
});

describe('a private repository', () => {
  beforeEach(() => {
    registry.push('private/tool', 'v1', [
      { mediaType: 'x/raw', data: raw, annotations: { [TITLE]: 'tool' } },
    ]);
  });

  test('is read with the login of the docker configuration', () =>
    withFolder(async (folder) => {
      const auth = Buffer.from('user:secret').toString('base64');
      await mkdir(join(folder, 'docker'));
      await writeFile(
        join(folder, 'docker/config.json'),
        JSON.stringify({ auths: { [registry.host]: { auth } } }),
      );
      vi.stubEnv('DOCKER_CONFIG', join(folder, 'docker'));
      const { component, source } = at('private/tool:v1');
      expect((await oci.resolve(component, source, 'amd64', contextFor(folder))).inputs).toHaveLength(2);
    }));

  test('without a login says how to log in', () =>
    withFolder(async (cache) => {
      const { component, source } = at('private/tool:v1');
      const error = await errorOf(oci.resolve(component, source, 'amd64', contextFor(cache)));
      expect(error.message).toContain('HTTP 401 Unauthorized');
      expect(error.hint).toContain(`docker login ${registry.host}`);
    }));
});

describe('references', () => {
  const digest = `sha256:${sha256('x')}`;
  test.each([
    ['quay.io/kairos/x:v1', 'https://quay.io/v2/kairos/x', 'v1'],
    [`ghcr.io/a/b/c@${digest}`, 'https://ghcr.io/v2/a/b/c', digest],
    [`ghcr.io/a/b:v1@${digest}`, 'https://ghcr.io/v2/a/b', digest],
    ['debian', 'https://registry-1.docker.io/v2/library/debian', 'latest'],
    ['acme/tool:1', 'https://registry-1.docker.io/v2/acme/tool', '1'],
    ['localhost:5000/x', 'http://localhost:5000/v2/x', 'latest'],
    ['127.0.0.1:5000/x:y', 'http://127.0.0.1:5000/v2/x', 'y'],
    ['registry.example:5000/x', 'https://registry.example:5000/v2/x', 'latest'],
  ])('%s', (text, url, target) => {
    const reference = parseReference(text);
    expect(repositoryUrl(reference)).toBe(url);
    expect(reference.target).toBe(target);
  });

  test.each(['', 'UPPER/case', 'x:bad tag', 'x@md5:abc', 'a@b@c', '../x', 'quay.io/'])(
    '"%s" is refused',
    (text) => {
      expect(() => parseReference(text)).toThrowError(expect.objectContaining({ code: 'input' }));
    },
  );
});

test('a challenge is read with its quoted parameters', () => {
  expect(parseChallenge('Bearer realm="https://auth.example/token",service=reg,scope="a:b,c:d"')).toEqual({
    scheme: 'bearer',
    parameters: { realm: 'https://auth.example/token', service: 'reg', scope: 'a:b,c:d' },
  });
  expect(parseChallenge('Basic realm="x"')?.scheme).toBe('basic');
  expect(parseChallenge('')).toBeUndefined();
});
