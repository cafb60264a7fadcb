import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Release } from '../../src/release/types.ts';
import { spdxProblems } from '../release/spdx-tools.ts';
import { sextant, startSextant } from '../sextant.ts';

// The main job on real input: recipes/lab.yaml with its committed lock, real Kubernetes, containerd, runc, CNI plug-ins, etcd and
// edgevpn; the provider and the k3s front are stand-ins. What is built stays in the cache, so a second run takes seconds.

const work = mkdtempSync(join(tmpdir(), 'sextant-e2e-'));
const dist = join(work, 'dist');
const RECIPE = 'recipes/lab.yaml';
let release: Release;

beforeAll(() => {
  const { code } = sextant(['build', '--recipe', RECIPE, '--output', dist], { show: true });
  expect(code).toBe(0);
  release = JSON.parse(readFileSync(join(dist, 'release.json'), 'utf8'));
});

test('the release holds an extension, its root hash and bill of materials for each architecture, and one activation', () => {
  const version = 'v1.36.3+k3s0';
  expect(readdirSync(dist).sort()).toEqual(
    [
      'SHA256SUMS',
      'activation.yaml',
      'release.json',
      ...['amd64', 'arm64'].flatMap((architecture) => [
        `provider-kairos-${version}-${architecture}.spdx.json`,
        `provider-kairos-${version}-${architecture}.sysext.raw`,
        `provider-kairos-${version}-${architecture}.sysext.roothash`,
      ]),
    ].sort(),
  );
  execFileSync('sha256sum', ['--quiet', '-c', 'SHA256SUMS'], { cwd: dist });
});

test('the lock in the repository is the one that was built from', () => {
  expect(execFileSync('git', ['status', '--porcelain', 'recipes/'], { encoding: 'utf8' })).toBe('');
});

test('stand-ins are named as such in the release', () => {
  expect(release.standin).toBe(true);
  const standins = release.images[0]?.components.filter(({ standin }) => standin).map(({ name }) => name);
  expect(standins?.length).toBeGreaterThanOrEqual(2);
});

test('a second build fetches and changes nothing, without any network', () => {
  const before = readdirSync(dist).map((name) => statSync(join(dist, name)).mtimeMs);
  const { code, stdout } = sextant(['build', '--recipe', RECIPE, '--output', dist, '--frozen'], {
    wrap: ['unshare', '--net'],
  });
  expect(code).toBe(0);
  expect(stdout).toContain('Up to date');
  expect(readdirSync(dist).map((name) => statSync(join(dist, name)).mtimeMs)).toEqual(before);
});

// The connection is taken and nothing ever said, as where packets are dropped.
test('quickstart decides in time where nothing answers, says why in one line, and finds that all is built', async () => {
  const sockets: Socket[] = [];
  const silence = createServer((socket) => sockets.push(socket.on('error', () => {})));
  await new Promise<void>((listening) => silence.listen(0, '127.0.0.1', listening));
  const proxy = `http://127.0.0.1:${(silence.address() as { port: number }).port}`;
  const env = { https_proxy: proxy, http_proxy: proxy, no_proxy: '' };
  try {
    const began = performance.now();
    const running = startSextant(['quickstart', '--output', dist], { env });
    await running.said(/: building recipes\/lab\.yaml/);
    // 8 s and the start of the program; a connection is given up after 20 s.
    expect(performance.now() - began).toBeLessThan(17_000);
    const { code, stdout, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /^https:\/\/\S+ does not answer \(no answer in 8 s\): building recipes\/lab\.yaml, with stand-ins /,
    );
    expect(stdout).toMatch(
      /^\nUp to date: provider-kairos: .*\(with stand-ins: for tests only\), from recipes\/lab\.yaml\n/,
    );
    expect(stdout).toMatch(/^Next:\n(?: {2}.+\n){3,}/m);
    expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]/u);
  } finally {
    for (const socket of sockets) socket.destroy();
    silence.close();
  }
});

test('a frozen build into another folder, as another time, umask and locale see it, gives the same bytes', () => {
  const again = join(work, 'again');
  const { code } = sextant(['build', '--recipe', RECIPE, '--output', again, '--frozen'], {
    wrap: ['unshare', '--net', 'sh', '-c', 'umask 077; exec "$@"', 'sh'],
    env: { LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', TZ: 'Asia/Kathmandu' },
  });
  expect(code).toBe(0);
  expect(readFileSync(join(again, 'SHA256SUMS'), 'utf8')).toBe(
    readFileSync(join(dist, 'SHA256SUMS'), 'utf8'),
  );
});

describe.each(['amd64', 'arm64'] as const)('the %s extension', (architecture) => {
  const image = () => {
    const found = release.images.find((entry) => entry.architecture === architecture);
    if (found === undefined) throw new Error(`no ${architecture} image`);
    return found;
  };

  test('verifies against its root hash', () => {
    const { code, stdout } = sextant(['verify', join(dist, image().file)]);
    expect(code).toBe(0);
    expect(stdout).toContain(image().rootHash);
  });

  test('says what it holds and what happened to each path', () => {
    const { code, stdout } = sextant(['inspect', '--json', join(dist, image().file)]);
    expect(code).toBe(0);
    const { manifest } = JSON.parse(stdout);
    const at = (path: string) => manifest.entries.find((entry: { path: string }) => entry.path === path);
    expect(at('/usr/bin/k3s')).toMatchObject({ disposition: 'delivered', component: 'hook' });
    expect(at('/usr/lib/systemd/system/k3s.service')).toMatchObject({
      disposition: 'relocated',
      from: '/etc/systemd/system/k3s.service',
    });
    expect(at('/usr/lib/extension-release.d/extension-release.provider-kairos')).toMatchObject({
      disposition: 'added',
    });
    expect(at('/usr/bin/edgevpn')).toMatchObject({ component: 'edgevpn' });
    expect(at('/usr/lib/kairos/providers/agent-provider-kairos')).toBeDefined();
  });

  test('has a bill of materials that the SPDX project’s own tools find valid', () => {
    expect(spdxProblems(join(dist, image().sbom))).toBe('');
    // They do look: a relationship to a package that is not there is told.
    const sbom = readFileSync(join(dist, image().sbom), 'utf8');
    const broken = join(work, `broken-${architecture}.spdx.json`);
    writeFileSync(
      broken,
      sbom.replace(/"relatedSpdxElement": ?"SPDXRef-[^"]+"/, '"relatedSpdxElement":"SPDXRef-none"'),
    );
    expect(spdxProblems(broken)).toContain('SPDXRef-none');
  });

  test('differs from itself in nothing', () => {
    const file = join(dist, image().file);
    expect(sextant(['diff', file, file]).stdout).toBe('identical content (same root hash)\n');
  });
});
