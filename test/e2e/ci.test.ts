import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Lock } from '../../src/lock/types.ts';
import { ARCHITECTURES } from '../../src/support/architecture.ts';
import { cacheFolder } from '../../src/support/context.ts';
import {
  git,
  programs,
  REAL_SEXTANT,
  type Recorded,
  recorded,
  recorder,
  repository,
  script,
} from '../ci/stand-ins.ts';
import { buildPlugin } from '../hook/hooks.ts';
import { startFakeRegistry } from '../release/registry/fake-registry.ts';
import { startSextant } from '../sextant.ts';
import { type GitHub, startGitHub } from '../sources/github.ts';
import { makeCache, makeSmallRecipe } from './small-recipe.ts';

// The scripts that CI runs, with the real sextant, a real repository, and stand-ins for gh and GitLab's API.

let folder: string;
let cache: string;
let github: GitHub;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-pipeline-'));
  cache = join(folder, 'cache');
  await makeCache(cache);
  github = await startGitHub();
  github.release('k3s-io/k3s', 'v1.36.3+k3s1', {});
});
afterAll(async () => {
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

interface Place {
  readonly work: string;
  readonly remote: string;
  readonly bin: string;
  readonly log: string;
}

/** A repository with a recipe for ~1.36 and its lock, both committed, and a remote. */
async function place(answers: Readonly<Record<string, string>> = {}): Promise<Place> {
  const at = await mkdtemp(join(folder, 'place-'));
  const [work, log] = [join(at, 'work'), join(at, 'log')];
  await makeSmallRecipe(work, {
    hook: { shell: 'echo "$(date +%N) $0" > /dev/null; echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s' },
    more: { distribution: { name: 'k3s', version: '~1.36', standin: true }, mirrors: github.mirrors },
  });
  const locked = await startSextant(['lock'], { cwd: work, env: { SEXTANT_CACHE: cache } }).ended;
  expect(locked.code, locked.stderr).toBe(0);
  const bin = await programs(join(at, 'bin'), { sextant: REAL_SEXTANT, gh: recorder(log, answers) });
  return { work, log, bin, remote: await repository(work, join(at, 'remote.git')) };
}

const env = (more: Readonly<Record<string, string>> = {}) => ({
  SEXTANT_CACHE: cache,
  TOOLS: 'no',
  PROPOSE: 'github',
  ...more,
});
const named = (calls: readonly Recorded[], command: string) =>
  calls.find(({ args }) => args.slice(0, 2).join(' ') === command);

test('nothing new upstream: no branch, no pull request', async () => {
  const { work, remote, bin, log } = await place();
  const ended = await script('watch.sh', work, { bin, env: env() });
  expect(ended, ended.stderr).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('nothing is newer upstream'),
  });
  expect(git(remote, 'branch', '--format=%(refname:short)')).toBe('main');
  expect(await recorded(log)).toEqual([]);
});

test('a new k3s becomes a pull request with the diff of the lock, and what that changes in the extensions as its text', async () => {
  const { work, remote, bin, log } = await place();
  github.release('k3s-io/k3s', 'v1.36.4+k3s1', {});
  const ended = await script('watch.sh', work, { bin, env: env() });
  expect(ended.code, ended.stderr).toBe(0);
  const patch = git(remote, 'show', '--format=%s', 'sextant/upstream');
  expect(patch.split('\n')[0]).toBe('Newer upstream: k3s v1.36.4+k3s1');
  expect(git(remote, 'diff', '--name-only', 'main', 'sextant/upstream')).toBe('sextant.lock.json');
  expect(
    patch
      .split('\n')
      .filter((line) => /^[+-] /.test(line))
      .map((line) => line.trim()),
  ).toEqual(['-  "version": "v1.36.3+k3s1"', '+  "version": "v1.36.4+k3s1"']);
  const created = named(await recorded(log), 'pr create');
  expect(created?.args).toEqual(
    expect.arrayContaining(['--head', 'sextant/upstream', '--title', 'Newer upstream: k3s v1.36.4+k3s1']),
  );
  expect(created?.body).toContain(
    '| `k3s` | `v1.36.3+k3s1` | [`v1.36.4+k3s1`](https://github.com/k3s-io/k3s/releases/',
  );
  expect(created?.body).toMatch(
    /<code>sextant diff<\/code>: k3s-1\.36, \w+<\/summary>\n\n`{6}\nVersions:\n +Kubernetes +v1\.36\.3\+k3s1 +-> +v1\.36\.4\+k3s1\n/,
  );
  // The checkout is as it was but for the branch: no worktree, no folder of the run.
  expect(git(work, 'worktree', 'list').split('\n')).toHaveLength(1);
  expect((await readdir(work)).filter((name) => name.startsWith('sextant-ci.'))).toEqual([]);
});

test('the next run renews the branch and the text of the pull request that is open', async () => {
  const { work, remote, bin, log } = await place({ 'pr list': '7' });
  github.release('k3s-io/k3s', 'v1.36.5+k3s1', {});
  for (const tag of ['v1.36.6+k3s1', 'v1.36.7+k3s1']) {
    git(work, 'switch', '--quiet', 'main');
    github.release('k3s-io/k3s', tag, {});
    const ended = await script('watch.sh', work, { bin, env: env({ BUILD: 'no' }) });
    expect(ended.code, ended.stderr).toBe(0);
  }
  expect(git(remote, 'log', '--format=%s', 'sextant/upstream').split('\n')).toEqual([
    'Newer upstream: k3s v1.36.7+k3s1',
    'begin',
  ]);
  const calls = await recorded(log);
  expect(named(calls, 'pr create')).toBeUndefined();
  expect(calls.at(-1)?.args.slice(0, 3)).toEqual(['pr', 'edit', '7']);
});

test('in GitLab it is a merge request, opened once and renewed, the token in no address', async () => {
  const { work, bin } = await place();
  github.release('k3s-io/k3s', 'v1.36.8+k3s1', {});
  const seen: { method: string; url: string; token: string | undefined; body: Record<string, string> }[] = [];
  const server = await api((method, url, token, body) => {
    seen.push({ method, url, token, body: body === '' ? {} : JSON.parse(body) });
    return method === 'GET' ? (seen.some((each) => each.method === 'POST') ? [{ iid: 3 }] : []) : {};
  });
  try {
    for (let run = 0; run < 2; run += 1) {
      git(work, 'switch', '--quiet', 'main');
      const ended = await script('watch.sh', work, {
        bin,
        env: env({
          BUILD: 'no',
          PROPOSE: 'gitlab',
          GITLAB_TOKEN: 'token-of-the-project',
          CI_API_V4_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v4`,
          CI_PROJECT_ID: '42',
          CI_DEFAULT_BRANCH: 'main',
        }),
      });
      expect(ended.code, ended.stderr).toBe(0);
    }
  } finally {
    server.close();
  }
  expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    'GET /api/v4/projects/42/merge_requests?state=opened&source_branch=sextant%2Fupstream',
    'POST /api/v4/projects/42/merge_requests',
    'GET /api/v4/projects/42/merge_requests?state=opened&source_branch=sextant%2Fupstream',
    'PUT /api/v4/projects/42/merge_requests/3',
  ]);
  expect(seen.every(({ token }) => token === 'token-of-the-project')).toBe(true);
  expect(seen[1]?.body).toMatchObject({
    title: 'Newer upstream: k3s v1.36.8+k3s1',
    source_branch: 'sextant/upstream',
    target_branch: 'main',
    description: expect.stringContaining('### k3s-1.36'),
  });
});

async function api(
  answer: (method: string, url: string, token: string | undefined, body: string) => unknown,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += String(piece);
    const token = request.headers['private-token'];
    const said = answer(
      request.method ?? '',
      request.url ?? '',
      Array.isArray(token) ? token[0] : token,
      body,
    );
    response.end(JSON.stringify(said));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

test('a recipe that signs: the text has the diff though the job has no key', async () => {
  const { work, bin, log } = await place();
  const key = await signs(work);
  git(work, 'commit', '--quiet', '--all', '--message', 'sign');
  expect(key).toContain('PRIVATE KEY');
  github.release('k3s-io/k3s', 'v1.36.9+k3s1', {});
  const ended = await script('watch.sh', work, { bin, env: env() });
  expect(ended.code, ended.stderr).toBe(0);
  const created = named(await recorded(log), 'pr create');
  expect(created?.body).toContain('<code>sextant diff</code>: k3s-1.36');
  expect(created?.body).not.toContain('do not build');
});

test('what is merged: signed, in a registry by the login of CI, in the catalog where Kairos and nodes find it, and on the hub page; the same again', async () => {
  const { work, remote, bin } = await place();
  const key = await signs(work);
  const lock: Lock = JSON.parse(await readFile(join(work, 'sextant.lock.json'), 'utf8'));
  const { version } = lock.distribution;
  const tag = version.replace('+', '-');
  const registry = await startFakeRegistry();
  registry.guard({ seconds: 300, now: Date.now, login: 'ci:secret of ci' });
  // The steps of the workflow, with its values.
  const run = async () => {
    const pages = { SITE: 'pages', PAGES_BRANCH: 'gh-pages', REMOTE: remote };
    const steps = [
      await script('pages.sh', work, { bin, env: pages, args: ['fetch'] }),
      await script('release.sh', work, {
        bin,
        env: env({
          PUBLISH: `oci://${registry.host}/acme/k8s`,
          CATALOG: 'pages/catalog',
          SITE: 'pages/hub',
          SIGNING_KEY: key,
          SIGNING_KEY_FILE: 'release.key',
          REGISTRY_USER: 'ci',
          REGISTRY_PASSWORD: 'secret of ci',
        }),
      }),
      await script('pages.sh', work, { bin, env: pages, args: ['push'] }),
    ];
    for (const { code, stderr, stdout } of steps) {
      expect(code, stderr).toBe(0);
      expect(stderr + stdout).not.toContain('secret of ci');
    }
  };
  const onPages = (path: string) => git(remote, 'show', `gh-pages:${path}`);
  try {
    await run();
    const host = registry.host;
    const { serial, releases } = JSON.parse(onPages('catalog/sextant-catalog.json'));
    expect(releases).toMatchObject([{ version, address: `oci://${host}/acme/k8s:${tag}` }]);
    expect([...registry.tags.keys()].some((each) => each.endsWith(tag))).toBe(true);
    expect(onPages('catalog/sextant-catalog.json.sig')).not.toBe('');
    expect(onPages('catalog/releases.json')).toMatch(
      new RegExp(`"oci": ?"${host}/acme/k8s@sha256:[0-9a-f]{64}"`),
    );
    expect(onPages('hub/index.html')).toContain(version);
    // Another machine, with nothing but the checkout and its key.
    for (const left of ['pages', 'dist']) await rm(join(work, left), { recursive: true });
    await run();
    // What is in the registry is not built again.
    expect(await readdir(join(work, 'dist')).catch(() => [])).toEqual([]);
    expect(JSON.parse(onPages('catalog/sextant-catalog.json'))).toMatchObject({ serial, releases });
    expect(onPages('hub/index.html')).toContain(version);
  } finally {
    await registry.close();
  }
  expect((await readdir(work)).filter((name) => /sextant-ci|release\.key/.test(name))).toEqual([]);
});

test('what a run published and did not get into the catalog joins it in the next', async () => {
  const { work, bin } = await place();
  const step = (more: Readonly<Record<string, string>>) =>
    script('release.sh', work, {
      bin,
      env: env({ PUBLISH: 'www/{release}', PUBLISHED: 'www', CATALOG: 'pages/catalog', ...more }),
    });
  // Ended between the two: there is no such key to sign the catalog with.
  const ended = await step({ CATALOG_KEY_FILE: 'missing.key' });
  expect(ended.code, ended.stderr).not.toBe(0);
  expect(await readdir(join(work, 'www'))).toHaveLength(1);
  for (let run = 0; run < 2; run += 1) {
    await rm(join(work, 'dist'), { recursive: true, force: true });
    const again = await step({});
    expect(again.code, again.stderr).toBe(0);
    const { serial, releases } = JSON.parse(
      await readFile(join(work, 'pages/catalog/sextant-catalog.json'), 'utf8'),
    );
    expect([serial, releases.length]).toEqual([1, 1]);
    expect(await readdir(work)).not.toContain('dist');
  }
});

/** Makes the recipe one that signs: its certificate is in the checkout; the key, which is not, is returned. */
async function signs(work: string): Promise<string> {
  const made = await startSextant(['key', 'create', 'release'], { cwd: work }).ended;
  expect(made.code, made.stderr).toBe(0);
  const key = await readFile(join(work, 'release.key'), 'utf8');
  await rm(join(work, 'release.key'));
  const file = join(work, 'sextant.yaml');
  const recipe = parse(await readFile(file, 'utf8'));
  await writeFile(
    file,
    stringify({ ...recipe, signing: { key: 'release.key', certificate: 'release.crt' } }),
  );
  git(work, 'add', 'release.crt');
  return key.trim();
}

test("provider-kairos' own release job: what goreleaser built becomes extensions for both architectures, attached with their activation", async () => {
  const at = await mkdtemp(join(folder, 'provider-'));
  const [work, log] = [join(at, 'work'), join(at, 'log')];
  // dist/ as goreleaser lays it; the programs are stand-ins.
  for (const [architecture, suffix] of [
    ['amd64', 'amd64_v1'],
    ['arm64', 'arm64_v8.0'],
  ] as const) {
    const into = join(work, `dist/provider-kairos_linux_${suffix}`);
    await mkdir(into, { recursive: true });
    await copyFile(await buildPlugin(join(at, architecture), architecture), join(into, 'provider-kairos'));
    await chmod(join(into, 'provider-kairos'), 0o755);
  }
  const edgevpn = { 'edgevpn-v0.35.5-Linux-x86_64.tar.gz': '', 'edgevpn-v0.35.5-Linux-arm64.tar.gz': '' };
  await publishEdgevpn(edgevpn);
  github.server.on('/k3s/v1-release/channels', {
    body: JSON.stringify({ data: [{ name: 'stable', latest: 'v1.36.3+k3s1' }] }),
  });
  // The example as it is, but for what a machine without a network to those places needs.
  const example = parse(await readFile('examples/provider-kairos-release.yaml', 'utf8'));
  const shell = 'echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s';
  await writeFile(
    join(work, 'sextant.yaml'),
    stringify({
      ...example,
      distribution: { ...example.distribution, standin: true },
      mirrors: github.mirrors,
      provider: { config: JSON.stringify({ shell }) },
    }),
  );
  const lab = JSON.parse(await readFile('recipes/lab.lock.json', 'utf8')) as Lock;
  const seed = { ...lab, recipe: '0'.repeat(64), architectures: {} };
  await writeFile(join(work, 'sextant.lock.json'), JSON.stringify(seed));
  const bin = await programs(join(at, 'bin'), { sextant: REAL_SEXTANT, gh: recorder(log) });
  const ended = await script('attach.sh', work, {
    bin,
    env: {
      SEXTANT_CACHE: cacheFolder(),
      TAG: 'v2.17.0',
      GITHUB_REPOSITORY: 'kairos-io/provider-kairos',
      COMPONENT_VERSIONS: 'provider-kairos=v2.17.0',
      GH_TOKEN: 'token',
    },
  });
  expect(ended.code, ended.stderr).toBe(0);
  const calls = await recorded(log);
  const uploaded = calls.map(({ args }) =>
    args.filter((arg) => arg.startsWith('/')).map((path) => path.split('/').at(-1)),
  );
  const images = ARCHITECTURES.map((each) => `provider-kairos-v1.36.3+k3s1-${each}.sysext.raw`);
  expect(uploaded[0]).toEqual(images);
  expect(uploaded[1]).toEqual(expect.arrayContaining(['SHA256SUMS', 'activation.yaml', 'release.json']));
  for (const { args } of calls) {
    expect(args.slice(0, 5)).toEqual(['release', 'upload', 'v2.17.0', '--repo', 'kairos-io/provider-kairos']);
  }
  // The activation file fetches what was attached, from where it was attached.
  const release = join(work, 'sextant-dist/k3s-v1.36.3+k3s1');
  const activation = await readFile(join(release, 'activation.yaml'), 'utf8');
  for (const image of images) {
    expect(activation).toContain(
      `https://github.com/kairos-io/provider-kairos/releases/download/v2.17.0/${encodeURIComponent(image)}`,
    );
  }
  const made = JSON.parse(await readFile(join(release, 'release.json'), 'utf8'));
  expect(made.images[0].components).toContainEqual(
    expect.objectContaining({ name: 'provider-kairos', version: 'v2.17.0', type: 'file' }),
  );
});

async function publishEdgevpn(names: Readonly<Record<string, string>>): Promise<void> {
  const { gzipSync } = await import('node:zlib');
  const { tarOf } = await import('../sources/tar.ts');
  const { sha256 } = await import('../sources/server.ts');
  const archive = gzipSync(tarOf({ name: 'edgevpn', data: '#!/bin/sh\n', mode: 0o755 }));
  const sums = Object.keys(names).map((name) => `${sha256(archive)}  ${name}\n`);
  github.release('mudler/edgevpn', 'v0.35.5', {
    ...Object.fromEntries(Object.keys(names).map((name) => [name, archive])),
    'edgevpn-v0.35.5-checksums.txt': sums.join(''),
  });
}
