import { describe, expect, it } from 'vitest';
import { actualTree, all, digest, expectedTree, IMAGES, openImage, READABLE } from './corpus.ts';

describe.each(READABLE)('the image %s', (name) => {
  it('lists and reads exactly the tree it was made from', async () => {
    const erofs = await openImage(name);
    const entries = await all(erofs.list());
    expect(await actualTree(erofs, entries)).toEqual(expectedTree());
  });

  it('streams the same bytes as it reads', async () => {
    const erofs = await openImage(name);
    for (const path of ['/usr/bin/mixed', '/usr/share/zeros', '/usr/share/text', '/usr/share/empty']) {
      expect(digest(Buffer.concat(await all(erofs.stream(path))))).toBe(digest(await erofs.read(path)));
    }
  });
});

it('lists a folder before what is in it and siblings in the order of their bytes', async () => {
  const paths = (await all((await openImage('lz4')).list())).map((entry) => entry.path);
  expect(paths[0]).toBe('/');
  expect(paths.slice(1, 5)).toEqual(['/deep', '/deep/d', '/deep/d/e', '/deep/d/e/e']);
  const many = paths.filter((path) => path.startsWith('/many/'));
  expect(many.length).toBeGreaterThan(150);
  expect(many).toEqual([...many].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
});

it('tells hard links by their inode number', async () => {
  const erofs = await openImage('plain');
  const [first, second, other] = await Promise.all(
    ['/many/a-hard-link-000', '/many/a-hard-link-123', '/usr/share/text'].map((path) => erofs.stat(path)),
  );
  expect(first?.inode).toBe(second?.inode);
  expect(first?.nlink).toBe(171);
  expect(other?.inode).not.toBe(first?.inode);
});

it('reports the superblock', async () => {
  const common = { uuid: '00112233-4455-6677-8899-aabbccddeeff', buildTime: 1700000000, inodes: 41 };
  expect((await openImage('plain-no-inline')).superblock).toEqual({
    ...common,
    blockSize: 4096,
    compression: [],
    label: 'sextant',
  });
  expect((await openImage('lz4-512')).superblock).toEqual({
    ...common,
    blockSize: 512,
    compression: ['lz4'],
    label: '',
  });
  expect((await openImage('two-algorithms')).superblock.compression).toEqual(['lz4', 'zstd']);
  expect((await openImage('lzma')).superblock.compression).toEqual(['lzma']);
});

it('reads owners and times of both forms of inode', async () => {
  expect(await (await openImage('plain')).stat('/usr/share/text')).toMatchObject({
    uid: 0,
    gid: 0,
    mtime: 1700000000,
  });
  expect(await (await openImage('plain-extended')).stat('/usr/share/text')).toMatchObject({
    uid: 100000,
    mtime: 1700000000,
  });
});

describe('a path', () => {
  it('leads through links inside the image, never above its root', async () => {
    const erofs = await openImage('lz4');
    const manifest = '{"name":"demo","version":"1.2.3"}\n';
    for (const path of [
      '/usr/share/sextant/manifest.json',
      'usr//share/./sextant/manifest.json',
      '/links/relative',
      '/links/absolute/sextant/manifest.json',
      '/links/absolute/../../usr/share/sextant/manifest.json',
      '/../../usr/share/sextant/manifest.json',
    ]) {
      expect((await erofs.read(path)).toString()).toBe(manifest);
    }
    expect((await erofs.stat('/links/above-root/mixed'))?.path).toBe('/usr/bin/mixed');
  });

  it('that ends in a link is the link for stat and its target for read', async () => {
    const erofs = await openImage('lz4');
    expect(await erofs.stat('/links/relative')).toMatchObject({
      kind: 'link',
      target: '../usr/share/sextant/manifest.json',
    });
  });

  it('that does not exist is undefined for stat and an error that names it for read', async () => {
    const erofs = await openImage('lz4');
    for (const path of ['/missing', '/links/dangling', '/usr/share/text/below-a-file']) {
      await expect(erofs.read(path)).rejects.toMatchObject({
        code: 'input',
        message: expect.stringContaining(path),
      });
    }
    expect(await erofs.stat('/missing')).toBeUndefined();
    expect(await erofs.stat('/usr/share/text/below-a-file')).toBeUndefined();
  });

  it('that is a folder or a loop of links cannot be read', async () => {
    const erofs = await openImage('lz4');
    await expect(erofs.read('/usr')).rejects.toMatchObject({
      code: 'input',
      message: '/usr: a folder, not a file',
    });
    await expect(erofs.read('/links/loop-a')).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('too many symbolic links'),
    });
    await expect(all(erofs.stream('/links/loop-a'))).rejects.toMatchObject({ code: 'input' });
  });
});

it('refuses to read more than the limit, before reading', async () => {
  const erofs = await openImage('lz4');
  await expect(erofs.read('/usr/share/zeros', { limit: 299_999 })).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('300000 bytes'),
  });
  expect(await erofs.read('/usr/share/zeros', { limit: 300_000 })).toHaveLength(300_000);
});

it('lists an lzma image and says what it cannot read', async () => {
  expect(IMAGES).toContain('lzma');
  const erofs = await openImage('lzma');
  const entries = await all(erofs.list());
  expect(entries.map((entry) => entry.path)).toEqual(
    [...expectedTree().keys()].sort((a, b) => (a < b ? -1 : 1)),
  );
  await expect(erofs.read('/usr/bin/mixed')).rejects.toMatchObject({
    code: 'input',
    message: '/usr/bin/mixed: erofs feature not supported by this reader: lzma compression',
    hint: expect.stringContaining('fsck.erofs --extract'),
  });
});
