import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { lockText } from '../../../src/lock/lock.ts';
import type { Lock } from '../../../src/lock/types.ts';
import { parseRecipe, recipeDigest } from '../../../src/recipe/load.ts';
import { variants } from '../../../src/recipe/matrix.ts';
import { somethingNew, watchUpstream } from '../../../src/release/upstream/index.ts';
import { silent } from '../../../src/support/progress.ts';
import { sextant } from '../../sextant.ts';
import { fakeArchive } from '../../sources/debian/fake-archive.ts';
import { type GitHub, startGitHub } from '../../sources/github.ts';
import { fakeProxy } from '../../sources/go-module/fake-proxy.ts';

let github: GitHub;
let folder: string;
beforeEach(async () => {
  github = await startGitHub();
  folder = await mkdtemp(join(tmpdir(), 'sextant-watch-'));
  for (const name of ['GITHUB_TOKEN', 'GH_TOKEN', 'GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'])
    vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

const file = () => join(folder, 'sextant.yaml');

interface Given {
  readonly distribution?: string;
  readonly source?: Readonly<Record<string, unknown>>;
  readonly matrix?: readonly Readonly<Record<string, unknown>>[];
  /** What the locks say, by variant's place. */
  readonly locked?: readonly { readonly distribution: string; readonly component: string }[];
  readonly mirrors?: readonly { from: string; to: string }[];
  readonly tools?: Partial<Lock['tools']>;
}

const TOOL = {
  type: 'github-release',
  repository: 'acme/tool',
  version: '~1.2',
  asset: 'tool-{tag}-{arch}',
};

/** A recipe with locks that fit it. */
async function given({
  distribution = 'v1.36.3+k3s1',
  source = TOOL,
  matrix = [],
  locked = [],
  mirrors = [],
  tools = {},
}: Given) {
  const text = stringify({
    distribution: { name: 'k3s', version: distribution },
    provider: { component: 'tool' },
    components: [{ name: 'tool', source }],
    architectures: ['amd64'],
    matrix,
    mirrors: [...github.mirrors, ...mirrors],
  });
  await writeFile(file(), text);
  const parsed = parseRecipe(text);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  for (const [at, variant] of variants(parsed.recipe).entries()) {
    const said = locked[at];
    if (said === undefined) continue;
    const lock: Lock = {
      lockVersion: 1,
      recipe: recipeDigest(variant.recipe),
      distribution: { name: variant.recipe.distribution.name, version: said.distribution },
      tools: { erofs: {}, qemu: {}, hookRoot: {}, ...tools },
      architectures: {
        amd64: {
          components: [
            {
              name: 'tool',
              type: source.type as 'github-release',
              version: said.component,
              inputs: [{ url: 'https://x/tool', size: 1, sha256: '1'.repeat(64) }],
            },
          ],
          hookDownloads: [],
        },
      },
    };
    const name = variant.lock === undefined ? 'sextant.lock.json' : `sextant.${variant.lock}.lock.json`;
    await writeFile(join(folder, name), lockText(lock));
  }
}

const watch = (more: object = {}) =>
  watchUpstream({
    recipe: file(),
    write: false,
    tools: true,
    context: { cache: join(folder, 'cache'), progress: silent, signal: new AbortController().signal },
    ...more,
  });

const release = (repository: string, ...tags: string[]) => {
  for (const tag of tags) github.release(repository, tag, { a: 'a' }, tag.includes('-rc'));
};

test('nothing is new where the locks have the newest that the recipe allows', async () => {
  release('acme/tool', 'v1.2.3');
  release('k3s-io/k3s', 'v1.36.3+k3s1');
  await given({ locked: [{ distribution: 'v1.36.3+k3s1', component: 'v1.2.3' }] });
  const found = await watch();
  expect(found).toMatchObject([{ id: 'k3s-v1.36.3+k3s1', news: [], current: ['k3s', 'tool'] }]);
  expect(somethingNew(found)).toBe(false);
});

test('a newer release in the range is news, one outside is told and changes nothing', async () => {
  release('acme/tool', 'v1.2.3', 'v1.2.4', 'v2.0.0', 'v3.0.0-rc1');
  release('k3s-io/k3s', 'v1.36.3+k3s1', 'v1.37.0+k3s1');
  await given({ locked: [{ distribution: 'v1.36.3+k3s1', component: 'v1.2.3' }] });
  const found = await watch();
  expect(found[0]?.news).toEqual([
    {
      kind: 'distribution',
      name: 'k3s',
      locked: 'v1.36.3+k3s1',
      upstream: 'v1.37.0+k3s1',
      allowed: false,
      link: 'https://github.com/k3s-io/k3s/releases/tag/v1.37.0%2Bk3s1',
    },
    {
      kind: 'component',
      name: 'tool',
      locked: 'v1.2.3',
      upstream: 'v1.2.4',
      allowed: true,
      link: 'https://github.com/acme/tool/releases/tag/v1.2.4',
    },
  ]);
  expect(somethingNew(found)).toBe(true);
  await given({
    source: { ...TOOL, version: 'v1.2.4' },
    locked: [{ distribution: 'v1.36.3+k3s1', component: 'v1.2.4' }],
  });
  const outside = await watch();
  expect(outside[0]?.news.map(({ name, upstream, allowed }) => [name, upstream, allowed])).toEqual([
    ['k3s', 'v1.37.0+k3s1', false],
    ['tool', 'v2.0.0', false],
  ]);
  expect(somethingNew(outside)).toBe(false);
});

test('each release of a matrix is held against its own lock; what another of them has is no news', async () => {
  release('acme/tool', 'v1.2.3');
  release('k3s-io/k3s', 'v1.35.6+k3s1', 'v1.35.7+k3s1', 'v1.36.3+k3s1');
  await given({
    matrix: [{ versions: ['~1.36', '~1.35'] }],
    locked: [
      { distribution: 'v1.36.3+k3s1', component: 'v1.2.3' },
      { distribution: 'v1.35.6+k3s1', component: 'v1.2.3' },
    ],
  });
  const found = await watch();
  expect(found.map(({ id, news }) => [id, news.map(({ upstream, allowed }) => [upstream, allowed])])).toEqual(
    [
      ['k3s-1.36', []],
      ['k3s-1.35', [['v1.35.7+k3s1', true]]],
    ],
  );
});

test('a release without a lock, or with one that does not fit, is news', async () => {
  release('acme/tool', 'v1.2.3');
  release('k3s-io/k3s', 'v1.36.3+k3s1');
  await given({});
  expect((await watch())[0]?.news).toEqual([
    {
      kind: 'lock',
      name: join(folder, 'sextant.lock.json'),
      locked: '',
      upstream: 'there is none yet',
      allowed: true,
    },
  ]);
});

test('a GitHub that cannot be asked is an error, not "nothing new"', async () => {
  release('acme/tool', 'v1.2.3');
  release('k3s-io/k3s', 'v1.36.3+k3s1');
  await given({ locked: [{ distribution: 'v1.36.3+k3s1', component: 'v1.2.3' }] });
  github.exhaust(4_000_000_000);
  await expect(watch()).rejects.toMatchObject({
    code: 'network',
    message: expect.stringContaining('rate limit'),
  });
});

test('a Debian package and the packages of the tools are held against the signed index', async () => {
  release('k3s-io/k3s', 'v1.36.3+k3s1');
  const archive = await fakeArchive();
  try {
    await archive.publish([
      { name: 'tool', version: '1.1-1' },
      { name: 'erofs-utils', version: '1.8.7-1' },
    ]);
    const old = (name: string, version: string) => ({
      url: `http://deb.debian.org/debian/pool/main/${name}/${name}_${version}_amd64.deb`,
      size: 1,
      sha256: '2'.repeat(64),
    });
    await given({
      source: { type: 'debian', package: 'tool' },
      locked: [{ distribution: 'v1.36.3+k3s1', component: '1.0-1' }],
      mirrors: archive.mirrors,
      tools: {
        erofs: {
          amd64: { suite: 'trixie', packages: ['erofs-utils'], inputs: [old('erofs-utils', '1.8.6-1')] },
        },
      },
    });
    const found = await watch({ trust: { keys: archive.keys } });
    expect(found[0]?.news.map(({ kind, name, locked, upstream }) => [kind, name, locked, upstream])).toEqual([
      ['component', 'tool', '1.0-1', '1.1-1'],
      ['tools', 'mkfs.erofs', 'erofs-utils 1.8.6-1', 'erofs-utils 1.8.7-1'],
    ]);
  } finally {
    await archive.close();
  }
});

test('a Go module of an exact version hears of newer ones', async () => {
  release('k3s-io/k3s', 'v1.36.3+k3s1');
  const { server, publish } = await fakeProxy();
  vi.stubEnv('GOPROXY', server.url);
  vi.stubEnv('GONOSUMDB', '*');
  try {
    for (const version of ['v1.0.0', 'v1.1.0', 'v1.2.0-rc.1']) {
      publish({ path: 'example.org/tool', version, files: { 'go.mod': 'module example.org/tool\n' } });
    }
    await given({
      source: { type: 'go-module', module: 'example.org/tool', version: 'v1.0.0', binary: 'tool' },
      locked: [{ distribution: 'v1.36.3+k3s1', component: 'v1.0.0' }],
    });
    expect((await watch())[0]?.news).toEqual([
      {
        kind: 'component',
        name: 'tool',
        locked: 'v1.0.0',
        upstream: 'v1.1.0',
        allowed: false,
        link: 'https://pkg.go.dev/example.org/tool@v1.1.0',
      },
    ]);
  } finally {
    await server.close();
  }
});

test('the command tells nothing new from something new by its exit code, and reads as a table, Markdown or JSON', async () => {
  release('acme/tool', 'v1.2.3');
  release('k3s-io/k3s', 'v1.36.3+k3s1');
  const fits = { distribution: 'v1.36.3+k3s1', component: 'v1.2.3' };
  await given({ locked: [fits] });
  const env = { SEXTANT_CACHE: join(folder, 'cache') };
  const run = async (...args: string[]) =>
    (await import('../../sextant.ts')).startSextant(['watch-upstream', ...args], { cwd: folder, env }).ended;
  expect(await run()).toMatchObject({
    code: 0,
    stdout: 'nothing is newer upstream that the recipe allows\n',
  });
  release('acme/tool', 'v1.2.5');
  const found = await run();
  expect(found).toMatchObject({ code: 9 });
  expect(found.stdout).toMatch(/^k3s-v1.36.3\+k3s1 +tool +v1.2.3 +-> +v1.2.5 +https:/);
  expect(found.stdout).toContain('next: sextant watch-upstream --recipe sextant.yaml --write');
  expect((await run('--markdown')).stdout).toContain(
    '| `tool` | `v1.2.3` | [`v1.2.5`](https://github.com/acme',
  );
  expect(JSON.parse((await run('--json')).stdout)).toMatchObject({
    new: true,
    releases: [{ news: [{ name: 'tool' }] }],
  });
  // Nothing was written: only --write does.
  expect(await readFile(join(folder, 'sextant.lock.json'), 'utf8')).toContain('"v1.2.3"');
  expect(sextant(['watch-upstream', '--only', 'k0s'], { cwd: folder, env })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('its matrix has no k0s'),
  });
});
