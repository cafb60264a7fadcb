import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { errorOf, instantClock } from '../../sources/context.ts';
import { startServer } from '../../sources/server.ts';
import { exampleRelease } from '../publish/example.ts';
import { type FakeRegistry, startFakeRegistry } from './fake-registry.ts';
import { publishTo } from './publishing.ts';

const TAG = 'v1.36.3-k3s0';
let folder: string;
let dist: string;
let registry: FakeRegistry;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-publish-'));
  dist = exampleRelease(join(folder, 'dist'), {
    signature: 'signed',
    extra: { 'provenance.intoto.jsonl': '{}\n' },
  });
  vi.stubEnv('DOCKER_CONFIG', folder);
  registry = await startFakeRegistry();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
  rmSync(folder, { recursive: true, force: true });
});

const publish = (options: Parameters<typeof publishTo>[2] = {}) => publishTo(registry.host, dist, options);
const json = (name: string) =>
  JSON.parse(registry.manifests.get(registry.tags.get(name) ?? name)?.toString() ?? 'null');
const writes = () => registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method));
const login = (name = 'user:secret') =>
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from(name).toString('base64') } } }),
  );
const noTag = () => expect([...registry.tags.keys()].filter((tag) => tag.startsWith('v'))).toEqual([]);

describe('a published release', () => {
  test('is an index over architectures in each form, with the files of the release beside it', async () => {
    const report = await publish();
    expect([...registry.tags.keys()].filter((tag) => !tag.startsWith('sha256-')).sort()).toEqual(
      ['', '-amd64', '-arm64', '-release', '-tar', '-tar-amd64', '-tar-arm64'].map((end) => `${TAG}${end}`),
    );
    const index = json(TAG);
    expect(index).toMatchObject({
      artifactType: 'application/vnd.kairos.sysext.raw',
      manifests: [
        { platform: { os: 'linux', architecture: 'amd64' }, digest: registry.tags.get(`${TAG}-amd64`) },
        { platform: { os: 'linux', architecture: 'arm64' }, digest: registry.tags.get(`${TAG}-arm64`) },
      ],
      annotations: { 'org.opencontainers.image.version': 'v1.36.3+k3s0', 'sextant.stand-in': 'true' },
    });
    // What agents of Kairos 4.2 and later demand of an artifact.
    expect(json(`${TAG}-amd64`)).toMatchObject({
      artifactType: 'application/vnd.kairos.sysext.raw',
      config: { mediaType: 'application/vnd.oci.empty.v1+json' },
      layers: [
        {
          mediaType: 'application/vnd.kairos.sysext.raw',
          annotations: { 'org.opencontainers.image.title': 'provider-kairos.sysext.raw' },
        },
      ],
    });
    const attached = report.attached.map(({ artifactType, subject }) => [artifactType, subject]);
    const main = registry.tags.get(TAG);
    expect(attached).toEqual([
      ['application/vnd.sextant.release.v1', main],
      ['application/vnd.sextant.signature.v1', main],
      ['application/vnd.in-toto+json', main],
      ['application/spdx+json', registry.tags.get(`${TAG}-amd64`)],
      ['application/spdx+json', registry.tags.get(`${TAG}-arm64`)],
    ]);
    const titles = json(`${TAG}-release`).layers.map(
      ({ annotations }: { annotations: Record<string, string> }) =>
        annotations['org.opencontainers.image.title'],
    );
    expect(titles).toContain('SHA256SUMS.sig');
    expect(titles.slice(-2)).toEqual(['release.json', 'activation.yaml']);
  });

  test('comes in the order that shows nothing half: blobs, manifests, tags, and last the tag people use', async () => {
    await publish();
    const kind = (path: string) =>
      path.includes('/blobs/') ? 'blob' : /manifests\/(sha256:|sha256-)/.test(path) ? 'manifest' : 'tag';
    const kinds = writes().map(({ path }) => kind(path));
    expect(kinds.join(' ')).toMatch(/^(blob )+(manifest )+(tag )*tag$/);
    expect(writes().at(-1)?.path).toBe(`/v2/acme/k8s/manifests/${TAG}`);
  });

  test('published again sends nothing and says so', async () => {
    const first = await publish();
    expect(first).toMatchObject({ changed: true, present: { blobs: 0 } });
    registry.requests.length = 0;
    const second = await publish();
    expect(second).toMatchObject({ changed: false, uploaded: { blobs: 0, bytes: 0 } });
    expect(second.tags).toEqual(first.tags);
    expect(writes()).toEqual([]);
  });

  test('counts the bytes that it uploaded', async () => {
    const { uploaded } = await publish();
    expect(uploaded.bytes).toBe([...registry.blobs.values()].reduce((sum, { length }) => sum + length, 0));
  });

  test('in one form has that form alone', async () => {
    await publish({ forms: ['tar'] });
    expect([...registry.tags.keys()].filter((tag) => tag.startsWith('v')).sort()).toEqual(
      ['-release', '-tar', '-tar-amd64', '-tar-arm64'].map((end) => `${TAG}${end}`),
    );
    expect(json(`${TAG}-release`).subject.digest).toBe(registry.tags.get(`${TAG}-tar`));
  });

  test('has the same digests wherever it is published', async () => {
    const other = await startFakeRegistry({ referrers: true });
    const [here, there] = [await publish(), await publishTo(other.host, dist)];
    await other.close();
    expect(there.tags.map(({ digest }) => digest)).toEqual(here.tags.map(({ digest }) => digest));
  });
});

describe('what is attached is listed', () => {
  test('by the registry where it can, and no tag is made for it', async () => {
    const other = await startFakeRegistry({ referrers: true });
    await publishTo(other.host, dist);
    await other.close();
    expect([...other.tags.keys()].filter((tag) => tag.startsWith('sha256-'))).toEqual([]);
  });

  test('under the tag of the subject else, beside what others attached', async () => {
    const probe = await publish();
    const subject = probe.tags.at(-1)?.digest ?? '';
    const tag = subject.replace(':', '-');
    const foreign = { mediaType: 'x/y', digest: `sha256:${'1'.repeat(64)}`, size: 3 };
    const list = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [foreign] }));
    registry.manifests.set(`sha256:${'2'.repeat(64)}`, list);
    registry.tags.set(tag, `sha256:${'2'.repeat(64)}`);
    expect(await publish()).toMatchObject({ changed: true });
    const listed = json(tag).manifests.map(({ digest }: { digest: string }) => digest);
    expect(listed).toHaveLength(4);
    expect(listed[0]).toBe(foreign.digest);
  });

  test('also where another publisher writes the list at the same time', async () => {
    const digest = `sha256:${'2'.repeat(64)}`;
    registry.fault({
      method: 'PUT',
      path: /manifests\/sha256-/,
      // Overwrites what was just put, as a publisher does that read the list before.
      last: () => {
        registry.manifests.set(digest, Buffer.from('{"manifests":[]}'));
        for (const tag of registry.tags.keys()) if (tag.startsWith('sha256-')) registry.tags.set(tag, digest);
      },
    });
    const { attached } = await publish();
    for (const { digest: own, subject } of attached) {
      expect(
        json(subject.replace(':', '-')).manifests.map((each: { digest: string }) => each.digest),
      ).toContain(own);
    }
  });
});

describe('a broken upload', () => {
  test('goes on where the registry says that it stands', async () => {
    registry.fault({ method: 'PATCH', path: /uploads/, cutAfter: 70_000 });
    await publish();
    const resumed = registry.requests.filter(({ contentRange }) => contentRange !== undefined);
    expect(resumed.map(({ contentRange }) => contentRange)).toEqual([expect.stringMatching(/^70000-\d+$/)]);
    expect(
      registry.requests.filter(({ method, path }) => method === 'GET' && path.includes('uploads')),
    ).toHaveLength(1);
  });

  test('begins anew where the registry has forgotten it', async () => {
    registry.fault({ method: 'PATCH', path: /uploads/, cutAfter: 70_000 });
    registry.fault({ method: 'GET', path: /uploads/, status: 404 });
    const { tags } = await publish();
    expect(registry.tags.get(TAG)).toBe(tags.at(-1)?.digest);
  });

  test('of a small file, which goes with the request that ends it, begins anew', async () => {
    registry.fault({ method: 'PUT', path: /digest=/, cutAfter: 1 });
    const { tags } = await publish();
    expect(registry.tags.get(TAG)).toBe(tags.at(-1)?.digest);
    // Two forms of two images are streamed; everything else is small.
    expect(registry.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(4);
  });

  test('that stays broken is one line, and nothing is tagged', async () => {
    registry.fault({ method: 'PATCH', path: /uploads/, cutAfter: 0, times: 1000 });
    const error = await errorOf(publish());
    expect(error).toMatchObject({ code: 'network' });
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+\/acme\/k8s: /);
    expect(error.hint).toContain('is not uploaded again');
    noTag();
  });

  test('that the registry takes for other bytes is a failure of verification', async () => {
    registry.fault({
      method: 'PUT',
      path: /digest=/,
      status: 400,
      body: '{"errors":[{"code":"DIGEST_INVALID"}]}',
      times: 99,
    });
    expect(await errorOf(publish())).toMatchObject({ code: 'verification' });
    noTag();
  });
});

describe('a registry that answers', () => {
  test.each([
    [401, 'log in first: docker login 127.0.0.1'],
    [403, 'docker login 127.0.0.1'],
    [413, 'takes no file of this size'],
  ])('%i is one line that says what to do, at once', async (status, hint) => {
    const clock = instantClock();
    registry.fault({
      method: 'POST',
      path: /uploads/,
      status,
      body: '{"errors":[{"code":"DENIED","message":"no\\u001b[31m"}]}',
      times: 99,
    });
    const error = await errorOf(publish({ clock }));
    expect(error.message).toMatch(
      new RegExp(`acme/k8s: begin of the upload of .* \\(DENIED: no \\[31m\\): HTTP ${status}`),
    );
    expect(error.hint).toContain(hint);
    expect(clock.waits).toEqual([]);
    noTag();
  });

  test('429 is waited for as long as it asks', async () => {
    const clock = instantClock();
    registry.fault({ method: 'POST', path: /uploads/, status: 429, headers: { 'retry-after': '7' } });
    await publish({ clock });
    expect(clock.waits).toEqual([7000]);
  });

  test('429 for longer than anyone waits is said', async () => {
    const clock = instantClock();
    registry.fault({
      method: 'HEAD',
      path: /manifests/,
      status: 429,
      headers: { 'retry-after': '7200' },
      times: 99,
    });
    const error = await errorOf(publish({ clock }));
    expect(error.message).toContain('HTTP 429 Too Many Requests');
    expect(clock.waits).toEqual([]);
  });

  test('5xx is tried again, a while', async () => {
    registry.fault({ method: 'PUT', path: /manifests/, status: 503, times: 2 });
    await publish();
    registry.tags.clear();
    registry.fault({ method: 'PUT', path: /manifests/, status: 500, times: 99 });
    expect((await errorOf(publish())).message).toContain('HTTP 500');
    noTag();
  });
});

describe('logins', () => {
  const now = { at: 1_000_000 };
  const later = (ms: number) => {
    now.at += ms;
  };
  const clock = () => ({ ...instantClock(), now: () => now.at });
  beforeEach(() => {
    now.at = 1_000_000;
  });

  test('become a token for pushing, asked for once', async () => {
    login();
    registry.guard({ seconds: 300, now: () => now.at, login: 'user:secret' });
    await publish({ clock: clock() });
    expect(registry.tokens).toEqual([
      {
        scope: 'repository:acme/k8s:pull,push repository:acme/k8s:pull',
        authorization: `Basic ${Buffer.from('user:secret').toString('base64')}`,
        body: '',
      },
    ]);
  });

  test('a token that runs out in the middle is renewed, also one that ends without a word', async () => {
    login();
    registry.guard({ seconds: 60, now: () => now.at, login: 'user:secret' });
    registry.fault({ method: 'PATCH', path: /uploads/, first: () => later(55_000) });
    registry.fault({ method: 'PUT', path: /manifests/, first: () => later(70_000) });
    await publish({ clock: clock() });
    expect(registry.tokens).toHaveLength(3);
  });

  test('a clock that is wrong changes nothing: only how long ago it was asked for counts', async () => {
    login();
    registry.guard({ seconds: 60, now: () => 0, login: 'user:secret' });
    now.at = -5e12;
    await publish({ clock: clock() });
    expect(registry.tokens).toHaveLength(1);
  });

  test("docker's identity token is exchanged as OAuth 2 says", async () => {
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({ auths: { [registry.host]: { identitytoken: 'long-lived' } } }),
    );
    registry.guard({ seconds: 60, now: () => now.at, refreshToken: 'long-lived' });
    await publish({ clock: clock() });
    expect(registry.tokens[0]).toMatchObject({ authorization: undefined });
    expect(registry.tokens[0]?.body).toContain('grant_type=refresh_token');
  });

  test('that are wrong are said, without the secret', async () => {
    login('user:wrong-secret');
    registry.guard({ seconds: 60, now: () => now.at, login: 'user:secret' });
    const error = await errorOf(publish({ clock: clock() }));
    expect(error.message).toMatch(
      /token from .*\(UNAUTHORIZED: incorrect username or password\): HTTP 401 Unauthorized$/,
    );
    expect(error.hint).toContain(`log in again: docker login ${registry.host}`);
    expect(JSON.stringify({ ...error, message: error.message })).not.toMatch(/wrong-secret|dXNlcjp3cm9uZy/);
  });

  test('stay at home when the registry redirects to another host, and when an upload goes to one', async () => {
    login();
    registry.guard({ seconds: 600, now: () => now.at, login: 'user:secret' });
    const elsewhere = await startServer();
    const address = elsewhere.url.replace('127.0.0.1', 'localhost');
    elsewhere.on('/blob', { status: 404 });
    elsewhere.on('/upload', { status: 403 });
    registry.fault({ method: 'HEAD', path: /blobs/, status: 307, headers: { location: `${address}/blob` } });
    registry.fault({
      method: 'POST',
      path: /uploads/,
      status: 202,
      headers: { location: `${address}/upload` },
    });
    const error = await errorOf(publish({ clock: clock() }));
    expect(error.message).toContain('HTTP 403');
    await elsewhere.close();
    expect(elsewhere.requests.length).toBeGreaterThanOrEqual(2);
    expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual(
      elsewhere.requests.map(() => undefined),
    );
  });
});

describe('a tag', () => {
  const foreign = `sha256:${'f'.repeat(64)}`;
  beforeEach(() => {
    registry.manifests.set(foreign, Buffer.from('{}'));
  });

  test('of a different build of the same version is not moved unasked', async () => {
    await publish();
    const other = exampleRelease(join(folder, 'other'), { build: 'b' });
    const before = registry.tags.get(TAG);
    const error = await errorOf(publishTo(registry.host, other));
    expect(error).toMatchObject({ code: 'input' });
    expect(error.message).toContain('holds a different build of v1.36.3+k3s0');
    expect(error.hint).toContain('--replace');
    expect(registry.tags.get(TAG)).toBe(before);
    await publishTo(registry.host, other, { replace: true });
    expect(registry.tags.get(TAG)).not.toBe(before);
  });

  test('of another version, a "latest", is moved', async () => {
    await publish({ tag: 'latest' });
    const newer = exampleRelease(join(folder, 'newer'), { version: 'v1.37.0+k3s0' });
    await publishTo(registry.host, newer, { tag: 'latest' });
    expect(json('latest').annotations['org.opencontainers.image.version']).toBe('v1.37.0+k3s0');
  });

  test('of something else is not moved unasked', async () => {
    registry.tags.set(TAG, foreign);
    expect((await errorOf(publish())).message).toContain('something that is no release of sextant');
  });

  test('that someone moves while blobs are uploaded is noticed, and stays theirs', async () => {
    registry.fault({ method: 'PATCH', path: /uploads/, first: () => void registry.tags.set(TAG, foreign) });
    const error = await errorOf(publish());
    expect(error).toMatchObject({ code: 'verification' });
    expect(error.message).toBe(
      `${registry.host}/acme/k8s:${TAG}: was moved by someone else meanwhile, to ${foreign}`,
    );
    expect(registry.tags.get(TAG)).toBe(foreign);
  });

  test('that someone moves right after ours is noticed', async () => {
    registry.fault({
      method: 'PUT',
      path: new RegExp(`manifests/${TAG}$`),
      first: () => void registry.tags.set(`${TAG}-amd64`, foreign),
    });
    expect(await errorOf(publish())).toMatchObject({ code: 'verification' });
  });

  test('is safe with two publishers of the same release at once', async () => {
    const [a, b] = await Promise.all([publish(), publish()]);
    expect(a.tags).toEqual(b.tags);
    expect(await publish()).toMatchObject({ changed: false });
  });

  test('belongs whole to one of two publishers of different releases', async () => {
    const other = exampleRelease(join(folder, 'other'), { build: 'b' });
    const outcomes = await Promise.allSettled([publish(), publishTo(registry.host, other)]);
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(won.length).toBeLessThanOrEqual(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason.message).toMatch(/moved by someone else|different build/);
    }
    const whole = ({ tags }: Awaited<ReturnType<typeof publish>>) => {
      for (const { tag, digest } of tags) expect(registry.tags.get(tag), tag).toBe(digest);
    };
    // Who was told that it is published has every tag; where both were told that it is not, either can put it right.
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') whole(outcome.value);
    whole(await publish({ replace: true }));
  });
});

test('interrupted, it ends at once and tags nothing', async () => {
  const abort = new AbortController();
  registry.fault({ method: 'PATCH', path: /uploads/, first: () => abort.abort() });
  expect(await errorOf(publish({ signal: abort.signal }))).toMatchObject({ code: 'interrupted' });
  noTag();
});
