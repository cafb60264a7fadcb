import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveIn, writeLowerLayer } from '../../src/hook/lower-layer.ts';

let folder: string;
let root: string;
let layer: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-layer-'));
  root = join(folder, 'root');
  layer = join(folder, 'layer');
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  await mkdir(join(root, 'etc/private'), { recursive: true, mode: 0o750 });
  await mkdir(layer);
  await symlink('usr/bin', join(root, 'bin'));
  await symlink('/etc', join(root, 'absolute'));
  await symlink('../../../../etc', join(root, 'usr/outside'));
  await symlink('loop', join(root, 'loop'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a path in the root of the sandbox', () => {
  it.each([
    ['/bin/sh', '/usr/bin/sh'],
    ['/absolute/hosts', '/etc/hosts'],
    ['/usr/outside/hosts', '/etc/hosts'],
    ['/../../etc/./hosts', '/etc/hosts'],
    ['/not/there', '/not/there'],
  ])('%s is %s, never one of the host', async (path, expected) => {
    expect(await resolveIn(root, path, 'follow')).toBe(expected);
  });

  it('keeps its last part as it is when asked to', async () => {
    expect(await resolveIn(root, '/bin', 'keep')).toBe('/bin');
    expect(await resolveIn(root, '/bin', 'follow')).toBe('/usr/bin');
  });

  it('is refused when its links go round in a circle', async () => {
    await expect(resolveIn(root, '/loop/x', 'follow')).rejects.toThrow('/loop/x: too many symbolic links');
  });
});

describe('the layer between root and upper', () => {
  it('puts files where the root’s links lead, in folders with the root’s modes', async () => {
    await writeFile(join(folder, 'plugin'), 'program', { mode: 0o600 });
    await writeLowerLayer(
      layer,
      root,
      ['/run'],
      [
        { path: '/bin/tool', content: 'text', mode: 0o755 },
        { path: '/etc/private/sub/plugin', from: join(folder, 'plugin'), mode: 0o755 },
      ],
    );
    expect(await readFile(join(layer, 'usr/bin/tool'), 'utf8')).toBe('text');
    expect(await readFile(join(layer, 'etc/private/sub/plugin'), 'utf8')).toBe('program');
    const mode = async (path: string) => (await lstat(join(layer, path))).mode & 0o7777;
    expect(await mode('usr/bin/tool')).toBe(0o755);
    expect(await mode('etc/private')).toBe((await lstat(join(root, 'etc/private'))).mode & 0o7777);
    expect(await mode('etc/private/sub')).toBe(0o755);
    expect(await mode('etc/private/sub/plugin')).toBe(0o755);
    expect((await lstat(join(layer, 'run'))).isDirectory()).toBe(true);
    await expect(lstat(join(layer, 'bin'))).rejects.toThrow('ENOENT');
  });

  it('leaves the file of the host as it was', async () => {
    await writeFile(join(folder, 'plugin'), 'program', { mode: 0o600 });
    await writeLowerLayer(layer, root, [], [{ path: '/p', from: join(folder, 'plugin'), mode: 0o755 }]);
    expect((await lstat(join(folder, 'plugin'))).mode & 0o777).toBe(0o600);
  });
});
