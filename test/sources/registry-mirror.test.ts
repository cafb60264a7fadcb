import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { recipeSchema } from '../../src/recipe/schema.ts';
import { contextFor, errorOf, withFolder } from './context.ts';
import { type Registry, startRegistry } from './registry.ts';
import { sha256 } from './server.ts';

// A mirror that is a registry: whatever a pinned file's address was, it is asked for by its digest.

const data = Buffer.from('what a lock pins');
const digest = sha256(data);
const address = 'https://releases.test/deep/v1%2Bk3s1/tool?x=1';
let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry();
  for (const repository of ['public/mirror', 'private/mirror'])
    registry.push(repository, 'inputs', [{ mediaType: 'application/octet-stream', data }]);
});
afterAll(() => registry.close());

const mirrors = (repository = 'public/mirror') => [
  { from: 'https://releases.test/', to: `oci://${registry.host}/${repository}` },
];
const pinned = (sum = digest) => ({ url: address, size: data.length, sha256: sum });

describe('a mirror in a registry', () => {
  test('gives a pinned file by its digest, and the login of the address stays at home', () =>
    withFolder(async (cache) => {
      const { store } = contextFor(cache, { mirrors: mirrors() });
      const path = await store.fetch(pinned(), undefined, { headers: { authorization: 'Basic c2VjcmV0' } });
      expect(await readFile(path)).toEqual(data);
      const asked = [...registry.server.requests, ...registry.objects.requests];
      expect(JSON.stringify(asked)).not.toContain('c2VjcmV0');
    }));

  test('asks for a login once for many files', () =>
    withFolder(async (cache) => {
      const before = registry.server.of('/v2/public/mirror/tags/list').length;
      const { store } = contextFor(cache, { mirrors: mirrors() });
      await Promise.all([
        store.fetch(pinned()),
        errorOf(store.fetch(pinned('a'.repeat(64)))),
        errorOf(store.fetch(pinned('b'.repeat(64)))),
      ]);
      expect(registry.server.of('/v2/public/mirror/tags/list').length - before).toBe(1);
    }));

  test("is read with docker's login where it is private", () =>
    withFolder(async (cache) => {
      const error = await errorOf(
        contextFor(cache, { mirrors: mirrors('private/mirror') }).store.fetch(pinned()),
      );
      expect(error.hint).toContain(`docker login ${registry.host}`);
      const auth = Buffer.from('user:secret').toString('base64');
      writeFileSync(join(cache, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      vi.stubEnv('DOCKER_CONFIG', cache);
      try {
        const { store } = contextFor(cache, { mirrors: mirrors('private/mirror') });
        expect(await readFile(await store.fetch(pinned()))).toEqual(data);
      } finally {
        vi.unstubAllEnvs();
      }
    }));

  test('without a file says which one and where it was asked for', () =>
    withFolder(async (cache) => {
      const error = await errorOf(
        contextFor(cache, { mirrors: mirrors() }).store.fetch(pinned('a'.repeat(64))),
      );
      expect(error.message).toContain(`(asked at oci://${registry.host}/public/mirror): HTTP 404`);
    }));

  test('has nothing of what no lock pins', () =>
    withFolder(async (cache) => {
      const error = await errorOf(
        contextFor(cache, { mirrors: mirrors() }).store.discover('https://releases.test/list'),
      );
      expect(error).toMatchObject({ code: 'input', hint: expect.stringContaining('sextant mirror') });
      expect(error.message).toContain('holds nothing but what a lock pins');
    }));
});

test.each(['oci://host.test', 'oci:host.test/a', 'oci://host.test/a:tag', 'oci://host.test/a@sha256:0'])(
  'a recipe with the mirror %s is refused',
  (to) => {
    const { success, error } = recipeSchema.shape.mirrors.safeParse([{ from: 'https://a/', to }]);
    expect(success).toBe(false);
    expect(error?.issues[0]?.message).toBe('must be oci://HOST/REPOSITORY, without a tag');
  },
);
