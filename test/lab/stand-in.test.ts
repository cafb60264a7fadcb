import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Lab } from '../../src/lab/lab.ts';
import { Stage } from '../../src/lab/stage.ts';
import { cpioArchive, loadableModules, moduleDependencies } from '../../src/lab/stand-in/initramfs.ts';
import { withTemporaryFolder } from '../../src/support/files.ts';

const { signal } = new AbortController();
const modinfo = (depends: string) => Buffer.from(`ELF\0license=GPL\0depends=${depends}\0name=x\0`, 'latin1');

/** Reads a "newc" archive back: names, modes and contents. */
function members(archive: Buffer) {
  const found: { name: string; mode: number; content: string }[] = [];
  for (let at = 0; at < archive.length; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const start = (at + 110 + nameSize + 3) & ~3;
    found.push({
      name: archive.toString('utf8', at + 110, at + 110 + nameSize - 1),
      mode,
      content: archive.toString('utf8', start, start + size),
    });
    at = (start + size + 3) & ~3;
  }
  return found;
}

describe('the initramfs of the arm64 guest', () => {
  test('is an archive of folders and files, aligned, with its end marked', () => {
    const archive = cpioArchive([
      { path: 'bin', mode: 0o755 },
      { path: 'bin/a', mode: 0o755, content: Buffer.from('hello') },
      { path: 'empty', mode: 0o600, content: Buffer.alloc(0) },
    ]);
    expect(members(archive)).toEqual([
      { name: 'bin', mode: 0o040755, content: '' },
      { name: 'bin/a', mode: 0o100755, content: 'hello' },
      { name: 'empty', mode: 0o100600, content: '' },
      { name: 'TRAILER!!!', mode: 0, content: '' },
    ]);
  });

  test('a module says what it needs', () => {
    expect(moduleDependencies(modinfo('jbd2,mbcache'))).toEqual(['jbd2', 'mbcache']);
    expect(moduleDependencies(modinfo(''))).toEqual([]);
    expect(moduleDependencies(Buffer.from('no module'))).toEqual([]);
  });

  test('modules come after what they need, once each; dashes and underscores are the same', async () => {
    await withTemporaryFolder(join(tmpdir(), 'sextant-modules'), async (folder) => {
      await mkdir(join(folder, 'kernel/md'), { recursive: true });
      const put = (path: string, depends: string) => writeFile(join(folder, path), modinfo(depends));
      await put('kernel/md/dm-mod.ko', '');
      await put('kernel/md/dm-bufio.ko', 'dm-mod');
      await put('kernel/md/dm-verity.ko', 'dm-mod,dm-bufio');
      const modules = await loadableModules(folder, ['dm_verity', 'dm_mod'], signal);
      expect([...modules.keys()]).toEqual(['dm_mod', 'dm_bufio', 'dm_verity']);
      await expect(loadableModules(folder, ['erofs'], signal)).rejects.toThrow('has no kernel module erofs');
    });
  });
});

test('a release without an arm64 extension is one line that says so', () => {
  const lab = { folder: '/lab', releaseFolder: 'dist', release: { images: [{ architecture: 'amd64' }] } };
  const stage = new Stage(lab as unknown as Lab, 'arm64-merge');
  expect(() => stage.image('arm64')).toThrow('dist: has no extension for arm64');
});
