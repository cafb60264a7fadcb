import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { releaseContents } from '../../../src/release/publish/contents.ts';
import { publishToGithub } from '../../../src/release/publish/github.ts';
import { silent } from '../../../src/support/progress.ts';
import { errorOf, instantClock } from '../../sources/context.ts';
import { type ExampleOptions, exampleRelease, imageName } from './example.ts';
import { type FakeGithub, startFakeGithub } from './fake-github.ts';

const TAG = 'v1.36.3+k3s0';
let folder: string;
let github: FakeGithub;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-github-'));
  github = await startFakeGithub();
});
afterEach(async () => {
  await github.close();
  rmSync(folder, { recursive: true, force: true });
});

let releases = 0;
async function publish(
  options: {
    replace?: boolean;
    clock?: ReturnType<typeof instantClock>;
    environment?: Record<string, string>;
  } = {},
  example: ExampleOptions = {},
) {
  releases += 1;
  const context = {
    progress: silent,
    signal: new AbortController().signal,
    clock: options.clock ?? instantClock(),
  };
  const dist = exampleRelease(join(folder, `dist${releases}`), { size: 5000, ...example });
  const contents = await releaseContents(dist, { ...context, cache: folder });
  return publishToGithub(contents, { owner: 'acme', repository: 'k8s', tag: TAG }, context, {
    replace: options.replace === true,
    environment: { GITHUB_API_URL: github.api, GITHUB_TOKEN: 'good', ...options.environment },
  });
}
const uploads = () =>
  github.requests.filter(({ method, path }) => method === 'POST' && path.includes('/assets'));
const names = () => github.releases[0]?.assets.map(({ name }) => name) ?? [];

describe('a GitHub release', () => {
  test('is a draft until every file is there and looked at', async () => {
    const report = await publish();
    expect(report).toMatchObject({
      changed: true,
      address: `https://github.example/acme/k8s/releases/tag/${TAG}`,
      present: [],
    });
    expect(names()).toHaveLength(9);
    expect(github.releases[0]).toMatchObject({ draft: false, prerelease: true, tag_name: TAG });
    expect(github.releases[0]?.name).toContain('with stand-ins: for tests only');
    const order = github.requests.map(
      ({ method, path }) => `${method} ${path.split('?')[0]?.split('/').at(-1)}`,
    );
    expect(order.at(-1)).toMatch(/^PATCH/);
    expect(order.at(-2)).toBe('GET assets');
  });

  test('that has it already is left alone', async () => {
    await publish();
    github.requests.length = 0;
    expect(await publish()).toMatchObject({ changed: false, uploaded: [] });
    expect(github.requests.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('of a project with files of its own gets ours beside them, what nodes act on last', async () => {
    github.addRelease({ tag: TAG, assets: { 'provider-kairos.tar.gz': 'theirs' } });
    const { uploaded } = await publish();
    expect(names()[0]).toBe('provider-kairos.tar.gz');
    expect(uploaded.slice(-2)).toEqual(['release.json', 'activation.yaml']);
    expect(github.releases).toHaveLength(1);
  });

  test('goes on with the draft that an interrupted run left, and with its half-uploaded file', async () => {
    const draft = github.addRelease({ tag: TAG, draft: true, assets: { 'activation.yaml': 'old' } });
    github.fault({ method: 'POST', path: /amd64\.sysext\.raw/, status: 502, leavesStarter: true });
    await publish();
    expect(github.releases).toEqual([draft]);
    expect(draft.draft).toBe(false);
    expect(draft.assets.map(({ state }) => state)).toEqual(draft.assets.map(() => 'uploaded'));
  });

  test('that has a different file of the name is not changed unasked', async () => {
    await publish();
    const error = await errorOf(publish({}, { build: 'b' }));
    expect(error).toMatchObject({ code: 'input' });
    expect(error.message).toMatch(/^github:acme\/k8s@v1\.36\.3\+k3s0: has another .* already$/);
    expect(uploads()).toHaveLength(9);
    expect(await publish({ replace: true }, { build: 'b' })).toMatchObject({ changed: true });
  });

  test('of a server that says no digests is read back, without the token', async () => {
    await github.close();
    github = await startFakeGithub({ digests: false });
    await publish();
    const read = github.requests.filter(({ path }) => path.startsWith('/objects/'));
    expect(read).toHaveLength(9);
    expect(read.every(({ authorization }) => authorization === undefined)).toBe(true);
    expect(await errorOf(publish({}, { build: 'b' }))).toMatchObject({ code: 'input' });
  });

  test('that changes what it is sent is never published', async () => {
    github.fault({
      method: 'POST',
      path: /name=release\.json/,
      status: 201,
      body: { id: 1, name: 'release.json', size: 1, state: 'uploaded', digest: 'sha256:0' },
    });
    expect(await errorOf(publish())).toMatchObject({ code: 'verification' });
    expect(github.releases[0]?.draft).toBe(true);
  });

  test('has no file of 2 GiB', async () => {
    const error = await errorOf(
      publishToGithub(
        {
          folder,
          others: [],
          files: [{ name: 'a.raw', path: 'a', size: 2 ** 31, sha256: '' }],
          release: {} as never,
        },
        { owner: 'a', repository: 'b', tag: 'c' },
        { progress: silent, signal: new AbortController().signal },
      ),
    );
    expect(error.message).toContain('less than 2 GiB');
  });
});

describe('GitHub answers', () => {
  test.each<[string, object, RegExp, RegExp]>([
    [
      '401',
      { environment: { GITHUB_TOKEN: 'bad' } },
      /\(Bad credentials\): HTTP 401/,
      /the token is not valid/,
    ],
  ])('%s', async (_, options, message, hint) => {
    const error = await errorOf(publish(options));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(error.message).not.toContain('bad');
  });

  test('403 for a token that may not write', async () => {
    github.fault({
      method: 'POST',
      path: /releases$/,
      status: 403,
      body: { message: 'Resource not accessible by integration' },
    });
    const error = await errorOf(publish());
    expect(error.message).toBe(
      'github:acme/k8s: draft of the release v1.36.3+k3s0 (Resource not accessible by integration): HTTP 403 Forbidden',
    );
    expect(error.hint).toContain('contents: write');
  });

  test('a rate limit that is over soon is waited for', async () => {
    const clock = instantClock();
    const reset = String(clock.now() / 1000 + 30);
    github.fault({
      method: 'GET',
      path: /tags/,
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
    });
    github.fault({ method: 'POST', path: /releases$/, status: 403, headers: { 'retry-after': '5' } });
    await publish({ clock });
    expect(clock.waits).toEqual([30_000, 5000]);
  });

  test('a longer one is said, with its end', async () => {
    const clock = instantClock();
    const reset = String(clock.now() / 1000 + 3600);
    github.fault({
      method: 'GET',
      path: /tags/,
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
    });
    const error = await errorOf(publish({ clock }));
    expect(error.message).toContain("GitHub's rate limit is used up until 2026-01-02T04:04:05Z");
    expect(clock.waits).toEqual([]);
  });

  test('422 already_exists is fine where the same file came meanwhile, and an error where another did', async () => {
    const dist = exampleRelease(join(folder, 'same'), { size: 5000 });
    const same = readFileSync(join(dist, imageName('amd64')), 'latin1');
    for (const [data, ok] of [
      [same, true],
      ['another', false],
    ] as const) {
      github.releases.length = 0;
      // Listed before the upload as nothing, taken when the upload comes.
      github.addRelease({ tag: TAG, draft: true });
      github.fault({
        method: 'POST',
        path: /amd64\.sysext\.raw/,
        status: 422,
        body: { errors: [{ code: 'already_exists' }] },
        adds: Buffer.from(data, 'latin1'),
      });
      const ended = await publish().then(
        () => undefined,
        (error: Error) => error.message,
      );
      expect(ended === undefined, ended).toBe(ok);
      if (!ok)
        expect(ended).toContain('another provider-kairos-v1.36.3+k3s0-amd64.sysext.raw came there meanwhile');
    }
  });

  test('422 for anything else is said', async () => {
    github.fault({
      method: 'POST',
      path: /assets/,
      status: 422,
      body: { message: 'Cannot upload assets to an immutable release.' },
    });
    expect((await errorOf(publish())).message).toContain(
      'HTTP 422 (Cannot upload assets to an immutable release.)',
    );
  });

  test('an upload address elsewhere gets no token', async () => {
    github.fault({
      method: 'POST',
      path: /releases$/,
      status: 201,
      body: {
        id: 9,
        tag_name: TAG,
        draft: true,
        html_url: 'x',
        upload_url: 'http://localhost:1/steal{?name}',
      },
    });
    expect((await errorOf(publish())).message).toContain("a server that is not GitHub's, refused");
  });
});

test.each([
  [{ GITHUB_TOKEN: '' }, 'a token is needed'],
  [{ GITHUB_API_URL: 'http://github.example/api' }, 'the token is not sent unencrypted'],
])('%j ends before anything is asked', async (environment, message) => {
  const error = await errorOf(publish({ environment: environment as unknown as Record<string, string> }));
  expect(error).toMatchObject({ code: 'usage' });
  expect(error.message).toContain(message);
  expect(github.requests).toEqual([]);
});
