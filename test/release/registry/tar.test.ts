import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tarBlob, tarHash, tarHeader } from '../../../src/release/registry/tar.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-tar-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NAME = 'provider-kairos.sysext.raw';

function blobOf(data: Buffer) {
  const path = join(folder, 'image');
  writeFileSync(path, data);
  const hash = tarHash(NAME, data.length);
  hash.update(data);
  return { path, blob: tarBlob(path, NAME, data.length, hash.digest()) };
}

async function read(blob: { read(from: number): AsyncIterable<Uint8Array> }, from = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of blob.read(from)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('an archive of one file', () => {
  test.each([0, 1, 511, 512, 513, 100_000])(
    'of %i bytes is what tar(1) reads, and what was announced',
    async (size) => {
      const data = Buffer.alloc(size, 'extension');
      const { blob } = blobOf(data);
      const archive = await read(blob);
      expect(archive.length).toBe(blob.size);
      expect(blob.digest).toBe(`sha256:${createHash('sha256').update(archive).digest('hex')}`);
      writeFileSync(join(folder, 'a.tar'), archive);
      expect(
        execFileSync('tar', ['tvf', join(folder, 'a.tar'), '--utc', '--full-time'], { encoding: 'utf8' }),
      ).toMatch(new RegExp(`^-rw-r--r-- root/root +${size} 1980-01-01 00:00:00 ${NAME}\n$`));
      execFileSync('tar', ['-C', folder, '-xf', join(folder, 'a.tar'), '--no-same-owner']);
      expect(readFileSync(join(folder, NAME)).equals(data)).toBe(true);
    },
  );

  test('is read from any place on, as a resumed upload does', async () => {
    const { blob } = blobOf(Buffer.from('x'.repeat(1000)));
    const whole = await read(blob);
    for (const from of [0, 1, 511, 512, 513, 1511, 1512, 1513, blob.size - 1, blob.size]) {
      expect((await read(blob, from)).equals(whole.subarray(from)), `from ${from}`).toBe(true);
    }
  });

  test('of a file that became shorter meanwhile is an error, not a short archive', async () => {
    const { path, blob } = blobOf(Buffer.alloc(5000));
    truncateSync(path, 4000);
    await expect(read(blob)).rejects.toThrow('became shorter while it was read');
  });

  test('refuses what its header cannot hold', () => {
    expect(() => tarHeader('a'.repeat(101), 1)).toThrow('cannot be the name');
    expect(() => tarHeader('../a', 1)).toThrow('cannot be the name');
    expect(() => tarHeader(NAME, 2 ** 33)).toThrow('more than a tar archive');
    expect(tarHeader(NAME, 2 ** 33 - 1)).toHaveLength(512);
  });
});
