import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { apiToken } from '../../src/sources/github-release/api.ts';
import { resolveDistributionVersion } from '../../src/sources/github-release/distribution.ts';
import { githubRelease } from '../../src/sources/github-release/index.ts';
import { compareVersions, nearestVersions } from '../../src/sources/github-release/versions.ts';
import { componentOf } from './component.ts';
import { contextFor, errorOf, withFolder } from './context.ts';
import { type GitHub, startGitHub } from './github.ts';
import { sha256 } from './server.ts';
import { tarOf } from './tar.ts';

const archive = gzipSync(
  tarOf({ name: 'tool', data: '\x7fELF tool', mode: 0o755 }, { name: 'README', data: 'r' }),
);
let github: GitHub;

beforeEach(async () => {
  github = await startGitHub();
  for (const tag of ['v1.0.0', 'v1.2.0', 'v1.2.3', 'v2.0.0-rc.1', 'v1.10.1']) {
    const version = tag.slice(1);
    const name = `tool-${tag}-Linux-x86_64.tar.gz`;
    github.release(
      'acme/tool',
      tag,
      { [name]: archive, [`tool_${version}_checksums.txt`]: `${sha256(archive)}  ${name}\n` },
      tag.includes('-rc'),
    );
  }
  for (const name of ['GITHUB_TOKEN', 'GH_TOKEN', 'GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'])
    vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await github.close();
});

const toolAt = (version: string, more = {}, files: { from: string; to: string }[] = []) =>
  componentOf(
    {
      type: 'github-release',
      repository: 'acme/tool',
      version,
      asset: 'tool-{tag}-Linux-{arch}.tar.gz',
      checksums: 'tool_{version}_checksums.txt',
      archNames: { amd64: 'x86_64', arm64: 'arm64' },
      ...more,
    },
    files,
  );
const apiRequests = () => github.server.requests.filter(({ path }) => path.startsWith('/api/'));

describe('an exact version', () => {
  test('is pinned and held against the published checksums, without the API', () =>
    withFolder(async (cache) => {
      const { component, source } = toolAt('v1.2.3');
      const context = contextFor(cache, { mirrors: github.mirrors });
      expect(await githubRelease.resolve(component, source, 'amd64', context)).toEqual({
        name: 'tool',
        type: 'github-release',
        version: 'v1.2.3',
        inputs: [
          {
            url: 'https://github.com/acme/tool/releases/download/v1.2.3/tool-v1.2.3-Linux-x86_64.tar.gz',
            size: archive.length,
            sha256: sha256(archive),
            checkedAgainst: 'https://github.com/acme/tool/releases/download/v1.2.3/tool_1.2.3_checksums.txt',
          },
        ],
        detail: { asset: 'tool-v1.2.3-Linux-x86_64.tar.gz' },
      });
      expect(apiRequests()).toEqual([]);
    }));

  test('is unpacked, and the second time nothing is asked, also when frozen', () =>
    withFolder(async (cache) => {
      const { component, source } = toolAt('v1.2.3');
      const context = contextFor(cache, { mirrors: github.mirrors });
      const locked = await githubRelease.resolve(component, source, 'amd64', context);
      const folder = await githubRelease.materialize(component, source, locked, 'amd64', context);
      expect((await readdir(folder)).sort()).toEqual(['README', 'tool']);
      expect((await stat(join(folder, 'tool'))).mode & 0o777).toBe(0o755);
      const asked = github.server.requests.length;
      const frozen = contextFor(cache, { mirrors: github.mirrors, frozen: true });
      expect(await githubRelease.materialize(component, source, locked, 'amd64', frozen)).toBe(folder);
      expect(github.server.requests).toHaveLength(asked);
    }));

  test('stays one file where the recipe takes the archive itself', () =>
    withFolder(async (cache) => {
      const name = 'tool-v1.2.3-Linux-x86_64.tar.gz';
      const { component, source } = toolAt('v1.2.3', {}, [{ from: name, to: '/usr/share/x' }]);
      const context = contextFor(cache, { mirrors: github.mirrors });
      const locked = await githubRelease.resolve(component, source, 'amd64', context);
      const folder = await githubRelease.materialize(component, source, locked, 'amd64', context);
      expect(await readFile(join(folder, name))).toEqual(archive);
    }));

  test('with "+" in its tag is asked for percent-encoded, and a program without a mode may be run', () =>
    withFolder(async (cache) => {
      const k3s = Buffer.from('\x7fELF k3s');
      github.release('k3s-io/k3s', 'v1.36.3+k3s1', { k3s, 'sha256sum-amd64.txt': `${sha256(k3s)}  k3s\n` });
      const { component, source } = componentOf({
        type: 'github-release',
        repository: 'k3s-io/k3s',
        version: 'v1.36.3+k3s1',
        asset: 'k3s',
        checksums: 'sha256sum-{arch}.txt',
      });
      const context = contextFor(cache, { mirrors: github.mirrors });
      const locked = await githubRelease.resolve(component, source, 'amd64', context);
      expect(locked.inputs[0]?.url).toBe(
        'https://github.com/k3s-io/k3s/releases/download/v1.36.3%2Bk3s1/k3s',
      );
      const folder = await githubRelease.materialize(component, source, locked, 'amd64', context);
      expect((await stat(join(folder, 'k3s'))).mode & 0o777).toBe(0o755);
    }));

  test('that does not exist is an error that lists the nearest', () =>
    withFolder(async (cache) => {
      const { component, source } = toolAt('v1.2.4');
      const context = contextFor(cache, { mirrors: github.mirrors });
      const error = await errorOf(githubRelease.resolve(component, source, 'amd64', context));
      expect(error).toMatchObject({ code: 'input', message: 'acme/tool has no release v1.2.4' });
      expect(error.hint).toContain('v1.10.1, v1.2.3, v1.2.0');
    }));

  test('that does not exist is an error also where the API refuses', () =>
    withFolder(async (cache) => {
      github.exhaust(1_800_000_000);
      const { component, source } = toolAt('v9.9.9');
      const context = contextFor(cache, { mirrors: github.mirrors });
      const error = await errorOf(githubRelease.resolve(component, source, 'amd64', context));
      expect(error.message).toContain('acme/tool has no release v9.9.9');
      expect(error.hint).toContain('rate limit');
    }));

  test('without the asset lists what the release has', () =>
    withFolder(async (cache) => {
      const { component, source } = toolAt('v1.2.3');
      const context = contextFor(cache, { mirrors: github.mirrors });
      const error = await errorOf(githubRelease.resolve(component, source, 'arm64', context));
      expect(error.code).toBe('verification');
      expect(error.message).toContain('tool-v1.2.3-Linux-arm64.tar.gz is not listed');
      const other = toolAt('v1.2.3', { checksums: undefined });
      const missing = await errorOf(githubRelease.resolve(other.component, other.source, 'arm64', context));
      expect(missing.message).toBe('release v1.2.3 of acme/tool has no asset tool-v1.2.3-Linux-arm64.tar.gz');
      expect(missing.hint).toContain('tool-v1.2.3-Linux-x86_64.tar.gz');
    }));

  test('whose bytes are not what the checksums say is refused with both digests', () =>
    withFolder(async (cache) => {
      const name = 'tool-v3.0.0-Linux-x86_64.tar.gz';
      github.release('acme/tool', 'v3.0.0', {
        [name]: 'tampered',
        'tool_3.0.0_checksums.txt': `${sha256(archive)}  ${name}\n`,
      });
      const { component, source } = toolAt('v3.0.0');
      const context = contextFor(cache, { mirrors: github.mirrors });
      const error = await errorOf(githubRelease.resolve(component, source, 'amd64', context));
      expect(error.code).toBe('verification');
      expect(error.message).toContain(sha256(archive));
      expect(error.message).toContain(sha256('tampered'));
      expect(await context.store.find(sha256('tampered'))).toBeUndefined();
    }));
});

describe('a version to be resolved', () => {
  test.each([
    ['latest', 'v1.10.1'],
    ['~1.2', 'v1.2.3'],
    ['^1.0', 'v1.10.1'],
    ['>=1.2 <1.10', 'v1.2.3'],
    ['1.2.x', 'v1.2.3'],
    ['>=2.0.0-rc.0', 'v2.0.0-rc.1'],
  ])('%s is %s', (version, tag) =>
    withFolder(async (cache) => {
      const { component, source } = toolAt(version);
      const context = contextFor(cache, { mirrors: github.mirrors });
      expect((await githubRelease.resolve(component, source, 'amd64', context)).version).toBe(tag);
    }),
  );

  test('that nothing fits lists the nearest', () =>
    withFolder(async (cache) => {
      const { component, source } = toolAt('^3');
      const context = contextFor(cache, { mirrors: github.mirrors });
      const error = await errorOf(githubRelease.resolve(component, source, 'amd64', context));
      expect(error).toMatchObject({ code: 'input', message: 'acme/tool has no release in the range ^3' });
      expect(error.hint).toContain('v2.0.0-rc.1');
    }));

  test('over the rate limit says until when, and that a token helps', () =>
    withFolder(async (cache) => {
      const context = contextFor(cache, { mirrors: github.mirrors });
      github.exhaust(context.clock.now() / 1000 + 1800);
      const { component, source } = toolAt('latest');
      const error = await errorOf(githubRelease.resolve(component, source, 'amd64', context));
      expect(error.code).toBe('network');
      expect(error.message).toContain("GitHub's rate limit is used up until 2026-01-02T03:34:05Z (30 min)");
      expect(error.hint).toContain('GITHUB_TOKEN');
      expect(apiRequests()).toHaveLength(1);
    }));

  test('sends a token to the API only, and to a mirror only its own', () =>
    withFolder(async (cache) => {
      vi.stubEnv('GITHUB_TOKEN', 'public');
      vi.stubEnv('GH_ENTERPRISE_TOKEN', 'enterprise');
      const { component, source } = toolAt('latest');
      await githubRelease.resolve(component, source, 'amd64', contextFor(cache, { mirrors: github.mirrors }));
      const tokens = new Set(apiRequests().map(({ authorization }) => authorization));
      expect([...tokens]).toEqual(['Bearer enterprise']);
      const others = [...github.server.requests, ...github.objects.requests].filter(
        ({ path }) => !path.startsWith('/api/'),
      );
      expect(others.every(({ authorization }) => authorization === undefined)).toBe(true);
      expect(apiToken('https://api.github.com/repos/a/b', { GITHUB_TOKEN: 'public' })).toBe('public');
      expect(apiToken('https://api.github.com/repos/a/b', { GH_TOKEN: 'gh' })).toBe('gh');
      expect(apiToken('https://api.github.com.evil.example/', { GITHUB_TOKEN: 'public' })).toBeUndefined();
    }));

  test('of a repository that does not exist is an error that names it', () =>
    withFolder(async (cache) => {
      const { component, source } = toolAt('latest', { repository: 'acme/other' });
      const context = contextFor(cache, { mirrors: github.mirrors });
      const error = await errorOf(githubRelease.resolve(component, source, 'amd64', context));
      expect(error.message).toContain('GitHub has no releases of acme/other');
    }));
});

describe('the version of a distribution', () => {
  const resolve = (cache: string, repository: string, spec: string) =>
    resolveDistributionVersion(repository, spec, contextFor(cache, { mirrors: github.mirrors }));

  beforeEach(() => {
    for (const tag of [
      'v1.35.9+k3s1',
      'v1.36.2+k3s9',
      'v1.36.2+k3s10',
      'v1.36.3+k3s1',
      'v1.36.3+k3s2',
      'v1.36.1+k3s1',
    ]) {
      github.release('k3s-io/k3s', tag, {});
    }
    github.release('k3s-io/k3s', 'v1.37.0-rc1+k3s1', {}, true);
    for (const tag of ['v1.36.2+k0s.0', 'v1.36.2+k0s.1', 'v1.35.4+k0s.0'])
      github.release('k0sproject/k0s', tag, {});
    github.server.on('/k3s/v1-release/channels', {
      body: JSON.stringify({
        data: [
          { id: 'stable', name: 'stable', latest: 'v1.35.9+k3s1' },
          { id: 'latest', name: 'latest', latest: 'v1.36.3+k3s1' },
          { id: 'v1.36', name: 'v1.36', latest: 'v1.36.3+k3s1' },
          { id: 'testing', name: 'testing' },
        ],
      }),
    });
  });

  test.each([
    ['k3s-io/k3s', 'v1.36.3+k3s1', 'v1.36.3+k3s1'],
    ['k3s-io/k3s', '1.36.3+k3s1', 'v1.36.3+k3s1'],
    ['k3s-io/k3s', 'v1.36.2', 'v1.36.2+k3s10'],
    ['k3s-io/k3s', '~1.36', 'v1.36.3+k3s2'],
    ['k3s-io/k3s', '<1.36.3', 'v1.36.2+k3s10'],
    ['k3s-io/k3s', 'stable', 'v1.35.9+k3s1'],
    ['k3s-io/k3s', 'latest', 'v1.36.3+k3s1'],
    ['k3s-io/k3s', 'v1.36', 'v1.36.3+k3s1'],
    ['k3s-io/k3s', '1.36', 'v1.36.3+k3s1'],
    ['k0sproject/k0s', '~1.36', 'v1.36.2+k0s.1'],
    ['k0sproject/k0s', 'v1.35', 'v1.35.4+k0s.0'],
    ['k0sproject/k0s', 'v1.36.2', 'v1.36.2+k0s.1'],
    ['k0sproject/k0s', 'stable', 'v1.35.4+k0s.0'],
    ['acme/tool', 'v9.9.9', 'v9.9.9'],
  ])('%s %s is %s', (repository, spec, version) =>
    withFolder(async (cache) => {
      expect(await resolve(cache, repository, spec)).toBe(version);
    }),
  );

  test('that is exact asks nobody', () =>
    withFolder(async (cache) => {
      await resolve(cache, 'k3s-io/k3s', 'v1.36.3+k3s1');
      expect(github.server.requests).toEqual([]);
    }));

  test('by an unknown channel lists the channels', () =>
    withFolder(async (cache) => {
      const error = await errorOf(resolve(cache, 'k3s-io/k3s', 'nightly'));
      expect(error).toMatchObject({ code: 'input', message: 'k3s has no channel or version "nightly"' });
      expect(error.hint).toContain('stable, latest, v1.36;');
    }));
});

describe('versions', () => {
  test('are ordered as distributions count', () => {
    const sorted = [
      'nightly',
      'v1.36.2-rc1+k3s1',
      'v1.36.2+k3s9',
      'v1.36.2+k3s10',
      'v1.36.3+k3s1',
      'v1.36.3+k3s2',
      'v1.100.0',
    ];
    expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
  });

  test('have one order, whatever they are', () => {
    const tag = fc.oneof(
      fc.stringMatching(/^v?\d\.\d{1,2}\.\d(?:-rc\d)?(?:\+k3s\d{1,2})?$/),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(tag, tag, tag, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  test('near one that does not exist are those around it', () => {
    const tags = Array.from({ length: 20 }, (_, i) => `v1.${i}.0`);
    expect(nearestVersions(tags, 'v1.9.5')).toEqual(['v1.11.0', 'v1.10.0', 'v1.9.0', 'v1.8.0', 'v1.7.0']);
    expect(nearestVersions(tags, 'v7')).toEqual(['v1.19.0', 'v1.18.0', 'v1.17.0', 'v1.16.0', 'v1.15.0']);
    expect(nearestVersions(['v1.0.0'], 'v0.1.0')).toEqual(['v1.0.0']);
    expect(nearestVersions([], 'v0.1.0')).toEqual([]);
  });
});
