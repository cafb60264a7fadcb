import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removedPaths, removeFolder } from '../../src/hook/upper-layer.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-upper-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function files(layer: string, ...paths: string[]): Promise<string> {
  for (const path of paths) {
    await mkdir(join(folder, layer, path, '..'), { recursive: true });
    await writeFile(join(folder, layer, path), '');
  }
  return join(folder, layer);
}

describe('what a hook removed', () => {
  it('is what the root has and the overlay has not, in folders the hook wrote to', async () => {
    const root = await files('root', 'etc/gone', 'etc/kept', 'opt/untouched', 'usr/old/a', 'usr/old/b');
    const upper = await files('upper', 'etc/new', 'usr/old/b');
    const merged = await files('merged', 'etc/kept', 'etc/new', 'usr/old/b');
    expect(await removedPaths(upper, root, merged)).toEqual(['/etc/gone', '/opt', '/usr/old/a']);
  });

  it('includes the files of a folder that a link took the place of, wherever the link leads', async () => {
    const root = await files('root', 'opt/app/program');
    const upper = await files('upper', 'opt/other/program');
    const merged = await files('merged', 'opt/other/program');
    for (const layer of [upper, merged]) await symlink('other', join(layer, 'opt/app'));
    expect(await removedPaths(upper, root, merged)).toEqual(['/opt/app/program']);
  });
});

describe('the folder of a sandbox', () => {
  it('is removed with folders in it that nobody may read', async () => {
    const work = await files('work', 'work/inner/file');
    await chmod(join(work, 'work/inner'), 0);
    await chmod(join(work, 'work'), 0);
    await removeFolder(work);
    await expect(lstat(work)).rejects.toThrow('ENOENT');
  });

  it('may be gone already', async () => {
    await expect(removeFolder(join(folder, 'nothing'))).resolves.toBeUndefined();
  });
});
