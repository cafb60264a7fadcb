import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { releaseContents } from '../../../src/release/publish/contents.ts';
import { publishToFolder } from '../../../src/release/publish/folder.ts';
import { place } from '../../../src/sources/partial.ts';
import { silent } from '../../../src/support/progress.ts';
import { sextant } from '../../sextant.ts';
import { errorOf } from '../../sources/context.ts';
import { type ExampleOptions, exampleRelease, imageName } from './example.ts';

let folder: string;
let site: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-folder-'));
  site = join(folder, 'www/kubernetes');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const context = { cache: tmpdir(), progress: silent, signal: new AbortController().signal };
let releases = 0;
async function publish(example: ExampleOptions = {}, options: { replace?: boolean } = {}) {
  releases += 1;
  const dist = exampleRelease(join(folder, `dist${releases}`), { size: 5000, ...example });
  return publishToFolder(await releaseContents(dist, context), site, context, options);
}
const version = () => JSON.parse(readFileSync(join(site, 'release.json'), 'utf8')).version;

describe('a folder', () => {
  test('gets the whole release, readable by a web server, and nothing else', async () => {
    const report = await publish();
    expect(report.changed).toBe(true);
    expect(readdirSync(site).sort()).toEqual([...report.copied].sort());
    expect(statSync(join(site, 'release.json')).mode & 0o777).toBe(0o644);
    expect(spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: site }).status).toBe(0);
  });

  test('shows what nodes act on only when all of the rest is there', async () => {
    mkdirSync(site, { recursive: true });
    const seen: string[][] = [];
    const watcher = watch(site, (_, name) => {
      if (name === 'release.json' || name === 'activation.yaml') seen.push(readdirSync(site));
    });
    const { copied } = await publish();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    watcher.close();
    expect(copied.slice(-2)).toEqual(['release.json', 'activation.yaml']);
    expect(seen[0]).toEqual(expect.arrayContaining([imageName('amd64'), imageName('arm64'), 'SHA256SUMS']));
  });

  test('that has it already is left alone, file by file', async () => {
    await publish();
    const before = statSync(join(site, imageName('amd64'))).ino;
    expect(await publish()).toMatchObject({ changed: false, copied: [] });
    writeFileSync(join(site, 'activation.yaml'), 'damaged');
    expect(await publish()).toMatchObject({ changed: true, copied: ['activation.yaml'] });
    expect(statSync(join(site, imageName('amd64'))).ino).toBe(before);
  });

  test('keeps an earlier version that nodes may still fetch', async () => {
    await publish();
    const report = await publish({ version: 'v1.37.0+k3s0' });
    expect(version()).toBe('v1.37.0+k3s0');
    expect(report.others).toContain(imageName('amd64'));
    expect(existsSync(join(site, imageName('amd64')))).toBe(true);
  });

  test('with a different build of the same version is refused, and replaced when asked', async () => {
    await publish();
    const before = readFileSync(join(site, 'SHA256SUMS'), 'utf8');
    const error = await errorOf(publish({ build: 'b' }));
    expect(error).toMatchObject({ code: 'input' });
    expect(error.message).toBe(`${site}: holds a different build of v1.36.3+k3s0`);
    expect(readFileSync(join(site, 'SHA256SUMS'), 'utf8')).toBe(before);
    await publish({ build: 'b' }, { replace: true });
    expect(readFileSync(join(site, 'SHA256SUMS'), 'utf8')).not.toBe(before);
  });

  test('with a release.json of another make is refused', async () => {
    mkdirSync(site, { recursive: true });
    writeFileSync(join(site, 'release.json'), '{}');
    expect((await errorOf(publish())).message).toContain('a release.json of another make');
  });

  test('in which another publish is at work is refused, and one left by a dead process taken over', async () => {
    mkdirSync(site, { recursive: true });
    const lock = join(site, '.sextant-publish.lock');
    writeFileSync(lock, `elsewhere 1 builder\n`);
    const error = await errorOf(publish());
    expect(error.message).toContain('another publish is at work there (process 1 on builder)');
    expect(error.hint).toContain(lock);
    expect(existsSync(lock)).toBe(true);
    const dead = spawnSync('true').pid;
    writeFileSync(lock, `${place} ${dead} ${hostname()}\n`);
    await publish();
    expect(existsSync(lock)).toBe(false);
  });

  test('is safe with two at once: one does it, the other says why not, or finds it done', async () => {
    const outcomes = await Promise.allSettled([publish(), publish()]);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(readdirSync(site).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: site }).status).toBe(0);
  });
});

describe('the command line', () => {
  test('says what was copied, and the second time that nothing was', () => {
    const dist = exampleRelease(join(folder, 'dist'), { size: 5000 });
    const first = sextant(['publish', site, dist]);
    expect(first.stderr).toContain('warning: this release holds stand-ins: for tests only');
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^Published provider-kairos: k3s v1\.36\.3\+k3s0 to .*: 9 files copied, 0 were there\n$/,
      ),
    });
    expect(sextant(['publish', site, dist]).stdout).toMatch(/^Up to date: .*, nothing was copied\n$/);
    const { stdout } = sextant(['publish', site, dist, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'folder',
      changed: false,
      release: { version: 'v1.36.3+k3s0' },
    });
  });

  test('says every digest without sending anything', () => {
    const dist = exampleRelease(join(folder, 'dist'), { size: 5000 });
    const { code, stdout } = sextant(['publish', 'oci://registry.invalid/k8s', dist, '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'Would publish provider-kairos: k3s v1.36.3+k3s0 to registry.invalid/k8s; nothing was sent',
    );
    expect(stdout).toMatch(/^ {2}v1\.36\.3-k3s0 +sha256:[0-9a-f]{64} +raw, all architectures$/m);
    expect(stdout).toContain('kairos-agent sysext install oci:registry.invalid/k8s:v1.36.3-k3s0-tar');
  });

  test.each([
    [['publish', 'oci://acme/k8s', 'dist'], 2, 'the registry is missing'],
    [['publish', 'site', 'dist', '--dry-run'], 2, '--dry-run is for registries'],
    [['publish', 'site', 'nowhere'], 3, 'there is no release here'],
  ])('%j is one line and a hint', (args, code, message) => {
    exampleRelease(join(folder, 'dist'), { size: 100 });
    const ended = sextant(args, { cwd: folder });
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toContain(message);
  });
});
