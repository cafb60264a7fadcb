import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lock } from '../../src/lock/types.ts';
import { sha256 } from '../../src/support/files.ts';
import { run } from '../../src/support/subprocess.ts';
import { type Ended, startSextant } from '../sextant.ts';
import { type GitHub, startGitHub } from '../sources/github.ts';
import { startServer, type TestServer } from '../sources/server.ts';
import { type RawEntry, tarOf } from '../sources/tar.ts';
import { expectNoProcesses, unfinishedIn } from './remains.ts';
import {
  downloaded,
  makeCache,
  makeSmallRecipe,
  mirroredTo,
  type SmallRecipe,
  UPSTREAM,
  VERSION,
} from './small-recipe.ts';

// What people and hooks get wrong, from the command line to its end.

let folder: string;
let cache: string;
let server: TestServer;
let github: GitHub;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-failures-'));
  cache = join(folder, 'cache');
  await makeCache(cache);
  server = await startServer();
  github = await startGitHub();
  github.release('k3s-io/k3s', VERSION, {});
  github.release('example/tool', 'v1.0.0', { tool: 'bytes' });
});
afterAll(async () => {
  await server.close();
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

const build = (at: string, ...more: string[]): Promise<Ended> =>
  startSextant(['build', ...more], { cwd: at, env: { SEXTANT_CACHE: cache } }).ended;

async function recipeFor(recipe: SmallRecipe): Promise<string> {
  const at = await mkdtemp(join(folder, 'recipe-'));
  await makeSmallRecipe(at, {
    ...recipe,
    more: { mirrors: [...mirroredTo(server.url), ...github.mirrors], ...recipe.more },
  });
  return at;
}

/** One error with what it must say, its exit code, and nothing half-written anywhere. */
async function expectFailure(
  at: string,
  ended: Ended,
  code: number,
  message: string | RegExp,
): Promise<void> {
  const [, said = '', after = ''] = /^error: (.*)\n((?:.*\n)*)/m.exec(ended.stderr) ?? [];
  expect(said, ended.stderr).toMatch(message);
  expect(ended.stderr.match(/^error:/gm)).toHaveLength(1);
  expect(after).toMatch(/^( {2}.*\n)*hint: .+\n$/);
  expect(ended).toMatchObject({ code, stdout: '' });
  expect((await readdir(at)).sort()).toEqual(['agent-provider-test', 'sextant.lock.json', 'sextant.yaml']);
  JSON.parse(await readFile(join(at, 'sextant.lock.json'), 'utf8'));
  await expectNoProcesses(folder);
  expect(await unfinishedIn(cache)).toEqual([]);
}

describe('a hook', () => {
  test.each<[string, SmallRecipe, number, string]>([
    [
      'that writes where an extension cannot deliver',
      { hook: { shell: 'echo x > /usr/bin/k3s; mkdir /srv-of-hook; echo x > /srv-of-hook/data' } },
      3,
      '/srv-of-hook/data',
    ],
    [
      'that writes a set-uid program',
      { hook: { shell: 'echo x > /usr/bin/k3s; chmod 4755 /usr/bin/k3s' } },
      3,
      '/usr/bin/k3s',
    ],
    ['that fails', { hook: { fail: 'no such version' } }, 5, "the provider's hook failed: no such version"],
    ['that ends badly', { hook: { exit: 7 } }, 5, 'exit code 7'],
    ['that answers nonsense', { hook: { garbage: 'Segmentation fault' } }, 5, 'is not JSON'],
    [
      'that hangs',
      { hook: { hang: true }, more: { hook: { timeoutSeconds: 1 } } },
      5,
      'took longer than 1 s and was ended',
    ],
    [
      'that installs another version',
      { hook: { report: 'v1.2.3+k3s1' } },
      4,
      'the hook installed k3s v1.2.3+k3s1, the recipe says v1.36.3+k3s1',
    ],
    ['that asks for what is not there', { hook: { get: `${UPSTREAM}/missing` } }, 6, `${UPSTREAM}/missing`],
  ])('%s', async (_name, recipe, code, message) => {
    const at = await recipeFor(recipe);
    const ended = await build(at);
    await expectFailure(at, ended, code, message);
  });

  test('that asks for an address that is not in the lock', async () => {
    server.on('/installer', { body: 'installed' });
    const at = await recipeFor({ hook: { get: `${UPSTREAM}/installer` } });
    expect(await build(at)).toMatchObject({ code: 0 });
    await rm(join(at, 'dist'), { recursive: true });
    const lock: Lock = JSON.parse(await readFile(join(at, 'sextant.lock.json'), 'utf8'));
    for (const held of Object.values(lock.architectures)) Object.assign(held, { hookDownloads: [] });
    await writeFile(join(at, 'sextant.lock.json'), JSON.stringify(lock));
    await expectFailure(
      at,
      await build(at),
      3,
      `the hook asked for ${UPSTREAM}/installer: the lock does not hold it`,
    );
  });
});

describe('a download', () => {
  const TOOL = 'a tool that is a little longer '.repeat(400);

  test('from a server that is out of order, redirects and cuts arrives whole, going on where it stood', async () => {
    server.requests.length = 0;
    server.on('/tool', { status: 503, headers: { 'retry-after': '0' } }, { redirect: `${server.url}/moved` });
    server.on('/moved', { body: TOOL, cutAfter: 5000 }, { body: TOOL });
    const at = await recipeFor({ components: [downloaded('tool')] });
    const { code, stderr } = await build(at);
    expect(code, stderr).toBe(0);
    expect(server.of('/moved').map(({ range, sent }) => [range, sent])).toEqual([
      [undefined, 5000],
      ['bytes=5000-', TOOL.length - 5000],
    ]);
  });

  test('whose bytes are not those of the lock is refused with both digests', async () => {
    server.on('/tool', { body: TOOL });
    const at = await recipeFor({ components: [downloaded('tool')] });
    expect(await build(at)).toMatchObject({ code: 0 });
    await rm(join(at, 'dist'), { recursive: true });
    const other = TOOL.replace('a tool', 'a mole');
    server.on('/tool', { body: other });
    const elsewhere = await mkdtemp(join(folder, 'cache-'));
    await makeCache(elsewhere);
    const ended = await startSextant(['build'], { cwd: at, env: { SEXTANT_CACHE: elsewhere } }).ended;
    await expectFailure(at, ended, 4, /\/tool.*wrong content/);
    for (const text of [TOOL, other]) expect(ended.stderr).toContain(sha256(text));
    expect(await unfinishedIn(elsewhere)).toEqual([]);
  });

  test.each<[string, RawEntry, string]>([
    ['that leads out of it', { name: '../../escaped', data: 'x' }, '../../escaped'],
    ['with an absolute path', { name: '/tmp/sextant-escaped', data: 'x' }, '/tmp/sextant-escaped'],
  ])('that is an archive with an entry %s is refused by its name', async (_name, entry, said) => {
    server.on('/archive.tar', { body: tarOf({ name: 'tool', data: 'x', mode: 0o755 }, entry) });
    const at = await recipeFor({
      components: [{ ...downloaded('archive.tar'), files: [{ from: 'tool', to: '/usr/bin/tool' }] }],
    });
    await expectFailure(at, await build(at), 3, said);
    expect(await readdir(folder)).not.toContain('escaped');
    expect(existsSync('/tmp/sextant-escaped')).toBe(false);
  });
});

describe('file capabilities that a hook sets', () => {
  test('are named, because an extension does not carry them', async () => {
    const at = await recipeFor({
      fullRoot: true,
      hook: { shell: 'echo x > /usr/bin/k3s; chmod 755 /usr/bin/k3s; setcap cap_net_raw+ep /usr/bin/k3s' },
    });
    const { code, stderr } = await startSextant(['build'], { cwd: at }).ended;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /^warning: \w+: \/usr\/bin\/k3s cap_net_raw=ep: file capabilities are not carried; /m,
    );
  });

  test.skipIf(process.getuid?.() !== 0)('cannot get lost where nothing can read them', async () => {
    const at = await recipeFor({});
    const without = join(folder, 'sbin');
    await run('sh', ['-c', 'mkdir "$0" && cp /usr/sbin/chroot "$0"', without]);
    const hidden = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      `mount -n --bind ${without} /usr/sbin && exec "$@"`,
      'sh',
    ];
    const ended = await startSextant(['build'], { cwd: at, wrap: hidden, env: { SEXTANT_CACHE: cache } })
      .ended;
    await expectFailure(at, ended, 5, 'getcap: program not found');
  });
});

describe('a version that does not exist', () => {
  const release = (version: string) => ({
    name: 'tool',
    source: { type: 'github-release', repository: 'example/tool', version, asset: 'tool' },
    files: [{ from: 'tool', to: '/usr/bin/tool' }],
  });
  test.each<[string, SmallRecipe, number, RegExp]>([
    ['of a release', { components: [release('v9.9.9')] }, 3, /example\/tool.* v9\.9\.9/],
    ['in a range of releases', { components: [release('~9.9')] }, 3, /example\/tool.*~9\.9/],
    [
      'of the distribution',
      { more: { distribution: { name: 'k3s', version: '~9.9', standin: true } } },
      3,
      /k3s-io\/k3s.*~9\.9/,
    ],
    [
      'of a Debian package',
      {
        components: [
          {
            name: 'runc',
            source: { type: 'debian', package: 'runc', version: '9.9-1' },
            files: [{ from: 'usr/sbin/runc', to: '/usr/bin/runc' }],
          },
        ],
      },
      3,
      /runc 9\.9-1 is not in Debian trixie/,
    ],
    ['of a download', { components: [downloaded('tool-9.9')] }, 6, /tool-9\.9.*404 Not Found/],
  ])('%s', async (_name, recipe, code, message) => {
    const at = await recipeFor(recipe);
    const ended = await build(at);
    await expectFailure(at, ended, code, message);
  });
});

// Root may write everywhere but on a file system that is mounted read-only.
describe.skipIf(process.getuid?.() !== 0)('a recipe in a folder that cannot be written', () => {
  const readOnly = async <T>(at: string, work: () => Promise<T>): Promise<T> => {
    await run('mount', ['-n', '--bind', at, at]);
    try {
      await run('mount', ['-n', '-o', 'remount,bind,ro', at]);
      return await work();
    } finally {
      await run('umount', ['-n', at]);
    }
  };

  test('says so before it fetches anything, and builds where the lock fits', async () => {
    server.requests.length = 0;
    server.on('/tool', { body: 'a tool' });
    const at = await recipeFor({ components: [downloaded('tool')] });
    const dist = join(folder, 'dist-of-read-only');
    const refused = await readOnly(at, () => build(at, '--output', dist));
    await expectFailure(at, refused, 7, 'sextant.lock.json: the file system is read-only');
    expect(server.requests).toEqual([]);
    expect(await build(at)).toMatchObject({ code: 0 });
    expect(await readOnly(at, () => build(at, '--output', dist))).toMatchObject({ code: 0 });
    expect(await readFile(join(dist, 'SHA256SUMS'))).toEqual(await readFile(join(at, 'dist', 'SHA256SUMS')));
    const into = await readOnly(at, () => build(at, '--output', 'other'));
    expect(into).toMatchObject({ code: 7, stdout: '' });
    expect(into.stderr).toMatch(/^error: .*other.*: the file system is read-only\nhint: .+\n$/m);
  });
});

describe('an extension at an address', () => {
  let at: string;
  let raw: string;
  beforeAll(async () => {
    at = await recipeFor({});
    expect(await build(at)).toMatchObject({ code: 0 });
    raw = (await readdir(join(at, 'dist'))).find((name) => name.endsWith('.raw')) ?? '';
    const bytes = await readFile(join(at, 'dist', raw));
    server.on('/good.raw', { body: bytes });
    const bad = Buffer.from(bytes);
    bad[1_100_000] = (bad[1_100_000] ?? 0) ^ 1;
    server.on('/bad.raw', { body: bad });
    server.on('/page.raw', { body: '<!doctype html><p>login' });
  });
  const ask = (...args: string[]) => startSextant(args, { cwd: at, env: { SEXTANT_CACHE: cache } }).ended;

  test('is inspected as the file is', async () => {
    const [there, here] = await Promise.all([
      ask('inspect', '--json', `${server.url}/good.raw`),
      ask('inspect', '--json', join('dist', raw)),
    ]);
    expect(there).toMatchObject({ code: 0 });
    expect({ ...JSON.parse(there.stdout), file: '' }).toEqual({ ...JSON.parse(here.stdout), file: '' });
  });

  test('is verified as the file is', async () => {
    const root = join('dist', raw.replace(/raw$/, 'roothash'));
    expect(await ask('verify', `${server.url}/good.raw`, '--roothash', root)).toMatchObject({ code: 0 });
    const bad = await ask('verify', `${server.url}/bad.raw`, '--roothash', root);
    expect(bad).toMatchObject({ code: 4, stdout: '' });
    expect(bad.stderr).toMatch(/^error: http:\S+\/bad\.raw: .+\nhint: .+\n$/m);
  });

  test.each([
    ['that is not there', '/none.raw', 6, /none\.raw: HTTP 404 Not Found/],
    ['that is a web page', '/page.raw', 3, /page\.raw/],
  ])('%s', async (_name, path, code, message) => {
    for (const command of ['inspect', 'verify']) {
      const ended = await ask(command, server.url + path);
      expect(ended).toMatchObject({ code, stdout: '' });
      expect(ended.stderr).toMatch(message);
      expect(ended.stderr).toMatch(/^error: .+\nhint: .+\n$/m);
    }
  });
});
