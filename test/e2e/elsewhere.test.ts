import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/support/subprocess.ts';
import { DROP_ROOT, giveToNobody } from '../hook/as-nobody.ts';
import { clockAhead, type Ended, startSextant } from '../sextant.ts';
import { startServer, type TestServer } from '../sources/server.ts';
import { makeCache, makeSmallRecipe, pinnedPackages, releaseFiles, writeRecipe } from './small-recipe.ts';

// One recipe, built on a machine that reaches what it names, and elsewhere: behind a mirror, by another user. No cache is shared.

const FILES = { tool: '#!/bin/sh\necho tool\n', installer: 'installed' };
let folder: string;
let upstream: TestServer;
let mirror: TestServer;
let direct: { readonly at: string; readonly lock: string; readonly release: Record<string, string> };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-elsewhere-'));
  await run('chmod', ['755', folder]);
  upstream = await startServer();
  mirror = await startServer();
  for (const [name, body] of Object.entries(FILES)) {
    upstream.on(`/${name}`, { body });
    mirror.on(`/releases/${name}`, { body });
  }
  for (const [url, file] of await pinnedPackages()) {
    mirror.on(new URL(url).pathname, { body: await readFile(file) });
  }
  const at = join(folder, 'direct');
  await makeSmallRecipe(at, recipe());
  await makeCache(join(folder, 'direct-cache'));
  // The name leads to the server on this machine, for this build alone.
  const hosts = join(folder, 'hosts');
  await writeFile(hosts, '127.0.0.1 localhost releases.test\n');
  const found = ['unshare', '--mount', 'sh', '-c', `mount -n --bind ${hosts} /etc/hosts && exec "$@"`, 'sh'];
  expectDone(await build(at, 'direct-cache', { wrap: found }));
  await upstream.close();
  direct = {
    at,
    lock: await readFile(join(at, 'sextant.lock.json'), 'utf8'),
    release: await releaseFiles(join(at, 'dist')),
  };
});
afterAll(async () => {
  await mirror.close();
  await rm(folder, { recursive: true, force: true });
});

const releases = () => upstream.url.replace('127.0.0.1', 'releases.test');

function recipe(more = {}) {
  return {
    hook: {
      get: `${releases()}/installer`,
      shell:
        'umask; echo program > /usr/bin/k3s; chmod 750 /usr/bin/k3s; ln -s k3s /usr/bin/kubectl; mkdir -p /etc/rancher/k3s; echo a: b > /etc/rancher/k3s/config.yaml; chmod 600 /etc/rancher/k3s/config.yaml',
    },
    components: [
      {
        name: 'tool',
        source: { type: 'url', url: `${releases()}/tool`, version: '1.0' },
        files: [{ from: 'tool', to: '/usr/bin/tool' }],
      },
    ],
    more,
  };
}

const mirrors = () => [
  { from: `${releases()}/`, to: `${mirror.url}/releases/` },
  { from: 'http://deb.debian.org/', to: `${mirror.url}/` },
];

function build(
  at: string,
  cache: string,
  options: { readonly wrap?: readonly string[]; readonly env?: Record<string, string> } = {},
): Promise<Ended> {
  return startSextant(['build'], {
    cwd: at,
    ...(options.wrap === undefined ? {} : { wrap: options.wrap }),
    env: { SEXTANT_CACHE: join(folder, cache), ...options.env },
  }).ended;
}

// Whatever is not on this machine goes to a proxy that is not there.
const CLOSED = {
  http_proxy: 'http://proxy.invalid:9',
  https_proxy: 'http://proxy.invalid:9',
  no_proxy: '127.0.0.1',
};

function expectDone({ code, stderr }: Ended): void {
  expect(code, stderr).toBe(0);
}

// A name for this machine alone, and another user, take root.
describe.skipIf(DROP_ROOT.length === 0)('a recipe', () => {
  test('without its mirrors does not build in a closed network', async () => {
    const at = join(folder, 'closed');
    await makeSmallRecipe(at, recipe());
    const ended = await build(at, 'closed-cache', { env: CLOSED });
    expect(ended).toMatchObject({ code: 6, stdout: '' });
    expect(ended.stderr).toMatch(/^error: http:\/\/deb\.debian\.org\/.+\nhint: .+\n$/m);
  });

  test('with mirrors has the same lock and the same release there', async () => {
    const at = join(folder, 'mirrored');
    await makeSmallRecipe(at, recipe({ mirrors: mirrors() }));
    expectDone(await build(at, 'mirrored-cache', { env: CLOSED }));
    expect(await readFile(join(at, 'sextant.lock.json'), 'utf8')).toBe(direct.lock);
    expect(await releaseFiles(join(at, 'dist'))).toEqual(direct.release);
  });

  test('need not trust the mirror: other bytes are refused', async () => {
    const at = join(folder, 'lying');
    await cp(direct.at, at, { recursive: true });
    await rm(join(at, 'dist'), { recursive: true });
    await writeRecipe(at, recipe({ mirrors: mirrors() }));
    await makeCache(join(folder, 'lying-cache'));
    mirror.on('/releases/tool', { body: FILES.tool.replace('tool', 'evil') });
    const ended = await build(at, 'lying-cache', { env: CLOSED });
    mirror.on('/releases/tool', { body: FILES.tool });
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    expect(ended.stderr).toMatch(
      /^error: http:\/\/releases\.test:\d+\/tool \(asked at \S+\/releases\/tool\): wrong content: .+\nhint: .+\n$/m,
    );
  });

  test('and its lock give another user the same bytes another day, whatever the folder, umask, time zone and locale', async () => {
    const home = join(folder, 'home of nobody');
    const at = join(home, 'a recipe');
    await mkdir(home);
    await cp(direct.at, at, { recursive: true });
    await rm(join(at, 'dist'), { recursive: true });
    await writeRecipe(at, recipe({ mirrors: mirrors() }));
    await giveToNobody(home);
    const ended = await build(at, 'home of nobody/cache', {
      wrap: [...DROP_ROOT, 'sh', '-c', 'umask 077; exec "$@"', 'sh'],
      env: {
        ...CLOSED,
        HOME: home,
        TZ: 'Asia/Kathmandu',
        LC_ALL: 'tr_TR.UTF-8',
        LANG: 'tr_TR.UTF-8',
        NODE_OPTIONS: clockAhead(400),
      },
    });
    expectDone(ended);
    expect(await readFile(join(at, 'sextant.lock.json'), 'utf8')).toBe(direct.lock);
    expect(await releaseFiles(join(at, 'dist'))).toEqual(direct.release);
  });
});
