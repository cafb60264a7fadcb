import { lstat, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unpackDeb } from '../../../src/sources/debian/deb.ts';
import { SextantError } from '../../../src/support/errors.ts';
import { errorOf, withFolder } from '../context.ts';
import { ar, deb, file, link } from './fake-archive.ts';

const unpack = async (folder: string, bytes: Buffer) => {
  const path = join(folder, 'a.deb');
  await writeFile(path, bytes);
  const to = join(folder, 'root');
  await unpackDeb(path, to, { name: 'a.deb' });
  return to;
};

describe('unpacking a Debian package', () => {
  it.each(['none', 'gz', 'xz', 'zst'] as const)('gives files, modes and links (%s)', async (compression) => {
    await withFolder(async (folder) => {
      const files = [file('./usr/bin/a', 'hello', 0o755), link('./usr/bin/b', '/usr/bin/a')];
      const root = await unpack(folder, await deb(files, compression));
      expect(await readFile(join(root, 'usr/bin/a'), 'utf8')).toBe('hello');
      expect((await lstat(join(root, 'usr/bin/a'))).mode & 0o7777).toBe(0o755);
      expect(await readlink(join(root, 'usr/bin/b'))).toBe('/usr/bin/a');
    });
  });

  it('never leads out of the folder', async () => {
    await withFolder(async (folder) => {
      const error = await errorOf(unpack(folder, await deb([file('../evil', 'x')])));
      expect(error.message).toContain('a.deb: entry "../evil"');
      const root = await unpack(
        folder,
        await deb([link('./out', '/'), file('./out/inside', 'x')]), // "/" is the folder itself
      );
      expect(await readFile(join(root, 'inside'), 'utf8')).toBe('x');
    });
  });

  it('says what it is when it is no package', async () => {
    await withFolder(async (folder) => {
      const cases: [Buffer, string][] = [
        [Buffer.from('<html>'), 'no ar archive'],
        [Buffer.alloc(0), 'no ar archive'],
        [ar([['debian-binary', Buffer.from('2.0\n')]]), 'it holds debian-binary'],
        [ar([['data.tar.gz', Buffer.alloc(1)]]), 'it holds data.tar.gz'],
        [
          ar([
            ['debian-binary', Buffer.from('2.0\n')],
            ['data.tar.lzma', Buffer.alloc(2)],
          ]),
          'data.tar.lzma',
        ],
      ];
      for (const [bytes, says] of cases) {
        const error = await errorOf(unpack(folder, bytes));
        expect(error).toMatchObject({ code: 'input', message: expect.stringContaining(says) });
      }
    });
  });

  it('refuses any truncation and survives any changed byte', async () => {
    const whole = await deb([file('./usr/bin/a', 'hello', 0o755)]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: whole.length - 2 }), // The last byte may be padding.
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, change, cut) => {
          await withFolder(async (folder) => {
            const bytes = cut ? whole.subarray(0, at) : Buffer.from(whole);
            if (!cut) bytes[at] = (bytes[at] ?? 0) ^ change;
            const outcome = await unpack(folder, bytes).catch((error: unknown) => error);
            if (cut) expect(outcome).toBeInstanceOf(SextantError);
            if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'input' });
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});
