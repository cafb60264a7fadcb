import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { packTar } from 'modern-tar';
import { describe, expect, test } from 'vitest';
import { unpackArchive, unpackTar } from '../../src/sources/archive.ts';
import { errorOf, withFolder } from './context.ts';
import { checksummed, header, inPieces, padded, paxOf, type RawEntry, tarOf } from './tar.ts';

const unpack = (folder: string, entries: readonly RawEntry[], options = {}) =>
  unpackTar(inPieces(tarOf(...entries)), join(folder, 'in'), options);

describe('a good archive', () => {
  test('gives files, folders, links and modes, whatever the umask', () =>
    withFolder(async (folder) => {
      const before = process.umask(0o077);
      try {
        await unpack(folder, [
          { name: './', type: '5', mode: 0o755 },
          { name: './bin/', type: '5', mode: 0o555 },
          { name: './bin/tool', data: 'tool', mode: 0o4755 },
          { name: './bin/also', type: '1', target: './bin/tool' },
          { name: './lib/deep/file', data: 'x'.repeat(5000), mode: 0o640 },
          { name: './lib/link', type: '2', target: '../bin/tool' },
        ]);
      } finally {
        process.umask(before);
      }
      const mode = async (path: string) => (await stat(join(folder, 'in', path))).mode & 0o7777;
      expect(await mode('bin')).toBe(0o555);
      expect(await mode('bin/tool')).toBe(0o4755);
      expect(await mode('lib')).toBe(0o755);
      expect(await mode('lib/deep/file')).toBe(0o640);
      expect(await readFile(join(folder, 'in/lib/link'), 'utf8')).toBe('tool');
      expect((await stat(join(folder, 'in/bin/also'))).nlink).toBe(2);
    }));

  test('may use pax and GNU long names', () =>
    withFolder(async (folder) => {
      const long = `${'d'.repeat(90)}/${'ü'.repeat(80)}`;
      await unpack(folder, [
        paxOf({ path: long, mtime: '1.5' }),
        { name: 'short', data: 'pax' },
        { name: '././@LongLink', type: 'L', data: `${long}2\0` },
        { name: 'short', data: 'gnu' },
        { name: 'after', data: 'plain' },
      ]);
      expect(await readFile(join(folder, 'in', long), 'utf8')).toBe('pax');
      expect(await readFile(join(folder, 'in', `${long}2`), 'utf8')).toBe('gnu');
      expect(await readFile(join(folder, 'in/after'), 'utf8')).toBe('plain');
    }));

  test.each([
    ['plain', '--format=gnu', []],
    ['gzip', '--format=pax', ['--gzip']],
    ['xz', '--format=ustar', ['--xz']],
  ])('of GNU tar, %s, gives the same tree', (_, format, compression) =>
    withFolder(async (folder) => {
      const from = join(folder, 'from');
      await mkdir(join(from, 'a/b'), { recursive: true });
      await writeFile(join(from, 'a/b/file'), Buffer.alloc(700_000, 'content '), { mode: 0o755 });
      await writeFile(join(from, `a/${'n'.repeat(90)}`), '');
      await symlink('b/file', join(from, 'a/link'));
      const archive = join(folder, 'archive');
      execFileSync('tar', [format, ...compression, '-cf', archive, '-C', from, 'a']);
      await unpackArchive(archive, join(folder, 'to'));
      execFileSync('diff', ['-r', '--no-dereference', from, join(folder, 'to')]);
    }),
  );

  test('of any content comes out as it went in', () =>
    fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.stringMatching(/^[a-zA-Z0-9äß ._-]{1,120}$/), fc.uint8Array({ maxLength: 3000 }), {
          maxKeys: 8,
        }),
        fc.integer({ min: 1, max: 2000 }),
        (files, pieces) =>
          withFolder(async (folder) => {
            const entries = Object.entries(files).filter(([name]) => name !== '.' && name !== '..');
            const archive = await packTar(
              entries.map(([name, data]) => ({
                header: { name: `d/${name}`, size: data.length, type: 'file' as const },
                body: data,
              })),
            );
            await unpackTar(inPieces(Buffer.from(archive), pieces), join(folder, 'in'));
            for (const [name, data] of entries) {
              expect(new Uint8Array(await readFile(join(folder, 'in/d', name)))).toEqual(data);
            }
          }),
      ),
      { numRuns: 30 },
    ));

  test('replaces a repeated entry by a new file', () =>
    withFolder(async (folder) => {
      await unpack(folder, [
        { name: 'a', data: 'first' },
        { name: 'b', type: '1', target: 'a' },
        { name: 'a', data: 'second' },
      ]);
      expect(await readFile(join(folder, 'in/a'), 'utf8')).toBe('second');
      expect(await readFile(join(folder, 'in/b'), 'utf8')).toBe('first');
    }));
});

describe('a hostile archive is refused by the name of the entry, and writes nothing outside', () => {
  const hostile: [string, RawEntry[], string][] = [
    ['".." in a path', [{ name: '../escaped', data: 'x' }], '".."'],
    ['".." in the middle', [{ name: 'a/../../escaped', data: 'x' }], '".."'],
    ['an absolute path', [{ name: '/tmp/escaped', data: 'x' }], 'absolute path'],
    ['a pax path that escapes', [paxOf({ path: '../escaped' }), { name: 'x', data: 'x' }], '".."'],
    ['an absolute link', [{ name: 'l', type: '2', target: '/etc' }], 'outside'],
    ['a link to the parent', [{ name: 'l', type: '2', target: '..' }], 'outside'],
    [
      'a file through a link',
      [
        { name: 'l', type: '2', target: '..' },
        { name: 'l/escaped', data: 'x' },
      ],
      'through the link',
    ],
    [
      'a folder through a link',
      [
        { name: 'l', type: '2', target: '..' },
        { name: 'l/escaped/', type: '5' },
      ],
      'through the link',
    ],
    [
      'a link that leaves by way of another',
      [
        { name: 'a/b/up', type: '2', target: '../..' },
        { name: 'a/b/out', type: '2', target: 'up/../etc' },
      ],
      'outside',
    ],
    ['a hard link to the outside', [{ name: 'h', type: '1', target: '../outside' }], '".."'],
    ['an absolute hard link', [{ name: 'h', type: '1', target: '/etc/passwd' }], 'absolute'],
    [
      'a hard link through a link',
      [
        { name: 'l', type: '2', target: '..' },
        { name: 'h', type: '1', target: 'l/outside' },
      ],
      'through the link',
    ],
    ['a hard link to nothing', [{ name: 'h', type: '1', target: 'nothing' }], 'not there'],
    ['a device', [{ name: 'dev', type: '3' }], 'device node'],
    ['a block device', [{ name: 'dev', type: '4' }], 'device node'],
    ['a pipe', [{ name: 'pipe', type: '6' }], 'named pipe'],
    [
      'a file over a folder',
      [
        { name: 'd/', type: '5' },
        { name: 'd', data: 'x' },
      ],
      'replace a folder',
    ],
    [
      'a folder below a file',
      [
        { name: 'f', data: 'x' },
        { name: 'f/g', data: 'x' },
      ],
      'to be a folder',
    ],
    ['a NUL byte in a name', [paxOf({ path: 'a\0b' }), { name: 'x', data: 'x' }], 'NUL'],
    [
      'a name that no file can have',
      [paxOf({ path: 'n'.repeat(300) }), { name: 'x', data: 'x' }],
      'ENAMETOOLONG',
    ],
    [
      'links in a circle',
      [
        { name: 'a', type: '2', target: 'b' },
        { name: 'b', type: '2', target: 'a' },
      ],
      'circle',
    ],
  ];
  test.each(hostile)('%s', (_, entries, words) =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'outside'), 'untouched');
      const error = await errorOf(unpack(folder, entries));
      expect(error.code).toBe('input');
      expect(error.message).toContain('entry');
      expect(error.message).toContain(words);
      expect((await readdir(folder)).sort()).toEqual(['in', 'outside']);
      expect(await readFile(join(folder, 'outside'), 'utf8')).toBe('untouched');
    }),
  );

  test('a file that replaces a link does not write where the link led', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'outside'), 'untouched');
      await unpack(folder, [
        { name: 'l', type: '2', target: '../outside' },
        { name: 'l', data: 'mine' },
      ]);
      expect(await readFile(join(folder, 'outside'), 'utf8')).toBe('untouched');
      expect((await lstat(join(folder, 'in/l'))).isFile()).toBe(true);
    }));

  test('no sequence of entries writes outside the folder', () => {
    const part = fc.constantFrom('a', 'b', '..', '.', '', 'c');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const entry: fc.Arbitrary<RawEntry> = fc.record({
      name: path,
      type: fc.constantFrom('0', '1', '2', '5'),
      target: path,
    });
    return fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 8 }), fc.boolean(), (entries, asRoot) =>
        withFolder(async (folder) => {
          const whole = entries.map((each) => (each.type === '0' ? { ...each, data: 'x' } : each));
          await unpack(folder, whole, { asRoot }).catch((error) => {
            expect(error.code).toBe('input');
          });
          expect(await readdir(folder)).toEqual(['in']);
        }),
      ),
      { numRuns: 300 },
    );
  });
});

describe('as the root of a file system', () => {
  test('links may be absolute, and paths lead through them inside the folder', () =>
    withFolder(async (folder) => {
      await unpack(
        folder,
        [
          { name: './usr/bin/', type: '5' },
          { name: './bin', type: '2', target: 'usr/bin' },
          { name: './bin/sh', data: 'shell' },
          { name: './etc/link', type: '2', target: '/outside' },
          { name: './up', type: '2', target: '../../..' },
          { name: './up/file', data: 'inside' },
          { name: './bin/', type: '5', mode: 0o755 },
        ],
        { asRoot: true },
      );
      expect(await readFile(join(folder, 'in/usr/bin/sh'), 'utf8')).toBe('shell');
      expect(await readlink(join(folder, 'in/bin'))).toBe('usr/bin');
      expect(await readFile(join(folder, 'in/file'), 'utf8')).toBe('inside');
      expect(await readdir(folder)).toEqual(['in']);
    }));

  test('whiteouts remove what earlier layers laid down', () =>
    withFolder(async (folder) => {
      await unpack(folder, [
        { name: 'a/x', data: '1' },
        { name: 'a/y', data: '1' },
        { name: 'b/z', data: '1' },
      ]);
      await unpack(folder, [{ name: 'a/.wh.x' }, { name: 'b/.wh..wh..opq' }, { name: 'b/new', data: '2' }], {
        whiteouts: true,
      });
      expect(await readdir(join(folder, 'in/a'))).toEqual(['y']);
      expect(await readdir(join(folder, 'in/b'))).toEqual(['new']);
    }));
});

describe('a malformed archive is one clear error', () => {
  const good = tarOf({ name: 'file', data: 'x'.repeat(2000) });
  test.each([
    ['cut in a file', good.subarray(0, 900), 'truncated'],
    ['cut in a header', good.subarray(0, 100), 'truncated'],
    ['without an end marker', good.subarray(0, 512 + 2048), 'truncated'],
    ['empty', Buffer.alloc(0), 'truncated'],
    ['of text', Buffer.alloc(2048, 'text'), 'not a number'],
    ['with a broken checksum', Buffer.concat([Buffer.from('X'), good.subarray(1)]), 'checksum'],
    ['with a sparse file', tarOf({ name: 'sparse', type: 'S' }), 'unknown entry type "S"'],
    ['with a pax sparse file', tarOf(paxOf({ 'GNU.sparse.major': '1' }), { name: 'x' }), 'sparse'],
    [
      'with a broken pax record',
      tarOf({ name: 'pax', type: 'x', data: '99 path=x\n' }, { name: 'x' }),
      'record',
    ],
    ['with a huge pax header', tarOf({ name: 'pax', type: 'x', size: 2 ** 30 }), 'longer than 1 MiB'],
    ['with a name that is not UTF-8', latin1Name(), 'UTF-8'],
  ])('%s', (_, data, words) =>
    withFolder(async (folder) => {
      const error = await errorOf(unpackTar(inPieces(data), folder));
      expect(error.code).toBe('input');
      expect(error.message).toContain(words);
    }),
  );

  test('whatever bytes change, it unpacks or says input', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), (at, value) =>
        withFolder(async (folder) => {
          const changed = Buffer.from(good);
          changed[at] = value;
          await unpackTar(inPieces(changed), join(folder, 'in')).catch((error) =>
            expect(error.code).toBe('input'),
          );
        }),
      ),
      { numRuns: 100 },
    ));

  test.each([
    ['a zip archive', Buffer.from('PK\x03\x04rest'), 'zip'],
    ['an HTML page', Buffer.from('<html>'), 'address'],
  ])('%s is not a tar archive', (_, data, words) =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'a.tar.gz'), data);
      const error = await errorOf(unpackArchive(join(folder, 'a.tar.gz'), join(folder, 'in')));
      expect(error.message).toContain('a.tar.gz: not a tar archive');
      expect(error.hint).toContain(words);
    }),
  );

  test.each(['gz', 'xz'])('truncated %s data', (format) =>
    withFolder(async (folder) => {
      const archive = join(folder, 'a');
      await writeFile(join(folder, 'a.tar'), tarOf({ name: 'x', data: 'y'.repeat(100_000) }));
      const whole =
        format === 'gz'
          ? gzipSync(await readFile(join(folder, 'a.tar')))
          : execFileSync('xz', ['-c', join(folder, 'a.tar')]);
      await writeFile(archive, whole.subarray(0, whole.length - 20));
      const error = await errorOf(unpackArchive(archive, join(folder, 'in'), { name: 'a.tar' }));
      expect(error).toMatchObject({ code: 'input' });
      expect(error.message).toContain('a.tar: ');
    }),
  );

  test('a missing decompression program is named with the package that has it', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'a'), Buffer.from('28b52ffd00', 'hex'));
      const path = process.env.PATH;
      process.env.PATH = folder;
      try {
        const error = await errorOf(unpackArchive(join(folder, 'a'), join(folder, 'in')));
        expect(error).toMatchObject({ code: 'tool', hint: 'install it: apt-get install zstd' });
      } finally {
        process.env.PATH = path;
      }
    }));

  test('an interruption stops it', () =>
    withFolder(async (folder) => {
      const signal = AbortSignal.abort();
      await expect(unpackTar(inPieces(good), join(folder, 'in'), { signal })).rejects.toThrow();
      await rm(folder, { recursive: true, force: true });
    }));
});

function latin1Name(): Buffer {
  const block = header({ name: 'x' });
  block.write('\xe4', 0, 'latin1');
  return Buffer.concat([checksummed(block), padded(''), Buffer.alloc(1024)]);
}
