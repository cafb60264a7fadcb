import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImage, verifyImage } from '../../src/image/index.ts';
import { SextantError } from '../../src/support/errors.ts';
import { silent } from '../../src/support/progress.ts';
import { dataBlocks, makeSigner, seal } from './fixture.ts';

// Images made to deceive: what can be recomputed (checksums) is, so that the lie behind it is what is met.
const work = mkdtempSync(join(tmpdir(), 'sextant-hostile-'));
const context = { cache: work, progress: silent, signal: new AbortController().signal };
let good: Buffer;
let verity: number;
let signature: number;

beforeAll(async () => {
  const path = join(work, 'good.raw');
  const { partitions } = await seal(path, dataBlocks(40), context, makeSigner(work, 'signer'));
  good = readFileSync(path);
  [, verity, signature] = partitions.map(({ offset }) => offset) as [number, number, number];
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Both are one SextantError of one line, whatever is in the file. */
async function refused(bytes: Buffer): Promise<SextantError> {
  const path = join(work, 'hostile.raw');
  writeFileSync(path, bytes);
  const errors = await Promise.all([
    readImage(path).catch((error: unknown) => error),
    verifyImage(path).then(
      () => new Error('verified'),
      (error: unknown) => error,
    ),
  ]);
  for (const error of errors) {
    if (!(error instanceof SextantError)) continue;
    expect(['input', 'verification']).toContain(error.code);
    expect(error.message).toMatch(/^[^\n]+$/);
    expect(error.message).toContain(path);
  }
  expect(errors[1]).toBeInstanceOf(SextantError);
  return errors[1] as SextantError;
}

/** A copy changed by `change`, with right checksums in its primary table. */
function forged(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(good);
  change(bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(1024, 1024 + 16384)), 512 + 88);
  bytes.writeUInt32LE(0, 512 + 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(512, 512 + 92)), 512 + 16);
  return bytes;
}

const entry = (index: number, field: number) => 1024 + index * 128 + field;
const [FIRST, LAST] = [32, 40];

describe('a partition table with right checksums', () => {
  const lies: [string, (bytes: Buffer) => void][] = [
    ['a partition past the end', (bytes) => bytes.writeBigUInt64LE(1n << 40n, entry(0, LAST))],
    ['a partition that ends before it begins', (bytes) => bytes.writeBigUInt64LE(2047n, entry(0, LAST))],
    ['a partition over the table', (bytes) => bytes.writeBigUInt64LE(1n, entry(0, FIRST))],
    ['sector numbers beyond 2^63', (bytes) => bytes.writeBigUInt64LE((1n << 64n) - 1n, entry(1, LAST))],
    [
      'overlapping partitions',
      (bytes) => bytes.writeBigUInt64LE(bytes.readBigUInt64LE(entry(1, FIRST)), entry(0, LAST)),
    ],
    ['four thousand million entries', (bytes) => bytes.writeUInt32LE(0xffffffff, 512 + 80)],
    ['entries of no size', (bytes) => bytes.writeUInt32LE(0, 512 + 84)],
    ['a header of another size', (bytes) => bytes.writeUInt32LE(0x7fffffff, 512 + 12)],
    ['the table elsewhere', (bytes) => bytes.writeBigUInt64LE(1n << 60n, 512 + 72)],
    ['the backup elsewhere', (bytes) => bytes.writeBigUInt64LE(99n, 512 + 32)],
    ['two root partitions', (bytes) => bytes.copy(bytes, entry(1, 0), entry(0, 0), entry(0, 16))],
    ['no partition', (bytes) => bytes.fill(0, 1024, 1024 + 16384)],
    ['no hash partition', (bytes) => bytes.fill(0, entry(1, 0), entry(2, 0))],
    ['another root hash', (bytes) => bytes.fill(0x77, entry(0, 16), entry(0, 32))],
    [
      'a root partition of parts of blocks',
      (bytes) => bytes.writeUInt8(bytes.readUInt8(entry(0, 40)) ^ 65, entry(0, 40)),
    ],
  ];
  test.each(lies)('and %s is refused', async (_name, change) => {
    await refused(forged(change));
  });

  test('and anything else in its entries and header is refused', async () => {
    const place = fc.oneof(fc.integer({ min: 512, max: 603 }), fc.integer({ min: 1024, max: 1024 + 511 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const bytes = forged((copy) => {
            for (const [at, value] of new Map(changes)) copy.writeUInt8(copy.readUInt8(at) ^ value, at);
          });
          fc.pre(!bytes.equals(good));
          await refused(bytes);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a dm-verity superblock', () => {
  const lies: [string, (bytes: Buffer) => void][] = [
    ['of more blocks than there are', (bytes) => bytes.writeBigUInt64LE(41n, verity + 72)],
    ['of 2^64-1 blocks', (bytes) => bytes.writeBigUInt64LE((1n << 64n) - 1n, verity + 72)],
    ['of fewer blocks', (bytes) => bytes.writeBigUInt64LE(39n, verity + 72)],
    ['of no block', (bytes) => bytes.writeBigUInt64LE(0n, verity + 72)],
    ['with a salt of 65535 bytes', (bytes) => bytes.writeUInt16LE(0xffff, verity + 80)],
    ['with a salt of another length', (bytes) => bytes.writeUInt16LE(31, verity + 80)],
    ['with another algorithm', (bytes) => bytes.write('crc32\0', verity + 32, 'latin1')],
    ['with blocks of 0 bytes', (bytes) => bytes.writeUInt32LE(0, verity + 64)],
    ['with blocks of 2 GiB', (bytes) => bytes.writeUInt32LE(0x80000000, verity + 68)],
    ['of another version', (bytes) => bytes.writeUInt32LE(2, verity + 8)],
    ['that is not there', (bytes) => bytes.fill(0, verity, verity + 512)],
  ];
  test.each(lies)('%s is refused', async (_name, change) => {
    await refused(forged(change));
  });
});

describe('a signature partition', () => {
  const json = () => good.toString('latin1', signature, good.indexOf(0, signature));
  const withText = (text: string) =>
    forged((bytes) => bytes.fill(0, signature, signature + 16384).write(text, signature, 16384, 'latin1'));
  const parts = () =>
    JSON.parse(json()) as { rootHash: string; certificateFingerprint: string; signature: string };

  test('that is as it was written is what the others differ from', async () => {
    expect(withText(json()).equals(good)).toBe(true);
    const path = join(work, 'same.raw');
    writeFileSync(path, good);
    await expect(verifyImage(path)).resolves.toBeDefined();
  });

  test.each([
    ['empty', () => ''],
    ['null', () => 'null'],
    ['a number', () => '7'],
    ['an array', () => '[]'],
    ['deep', () => '['.repeat(16384)],
    ['without a signature', () => JSON.stringify({ ...parts(), signature: undefined })],
    ['with a signature that is a number', () => JSON.stringify({ ...parts(), signature: 7 })],
    ['with an empty signature', () => JSON.stringify({ ...parts(), signature: '' })],
    ['with another root hash', () => JSON.stringify({ ...parts(), rootHash: 'a'.repeat(64) })],
    [
      'with another fingerprint',
      () => JSON.stringify({ ...parts(), certificateFingerprint: 'a'.repeat(64) }),
    ],
    ['with one key more', () => JSON.stringify({ ...parts(), more: 1 })],
    ['with spaces', () => JSON.stringify(parts(), undefined, 1)],
    ['with other bytes for the same JSON', () => json().replace('"rootHash"', '"\\u0072ootHash"')],
    [
      'with deeply nested ASN.1',
      () => JSON.stringify({ ...parts(), signature: nested(4000).toString('base64') }),
    ],
    [
      'with ASN.1 of a length it has not',
      () =>
        JSON.stringify({ ...parts(), signature: Buffer.from('3084ffffffff00', 'hex').toString('base64') }),
    ],
  ])('%s is refused', async (_name, text) => {
    await refused(withText(text()));
  });

  test('with any change inside its PKCS#7 is refused', async () => {
    const der = Buffer.from(parts().signature, 'base64');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.integer({ min: 0, max: 20 }),
        async (changes, cut) => {
          const changed = Buffer.from(der);
          for (const [at, value] of new Map(changes)) changed.writeUInt8(changed.readUInt8(at) ^ value, at);
          const shortened = changed.subarray(0, changed.length - cut);
          await refused(withText(JSON.stringify({ ...parts(), signature: shortened.toString('base64') })));
        },
      ),
      { numRuns: 80 },
    );
  });

  test('with another key’s signature behind the same certificate is refused', async () => {
    const der = Buffer.from(parts().signature, 'base64');
    der.fill(0x5a, der.length - 256); // The signature value is what ends it.
    const error = await refused(withText(JSON.stringify({ ...parts(), signature: der.toString('base64') })));
    expect(error).toMatchObject({ code: 'verification', message: expect.stringContaining('does not fit') });
  });
});

/** SEQUENCEs in one another. */
function nested(depth: number): Buffer {
  let der = Buffer.alloc(0);
  const pieces: Buffer[] = [];
  let length = 0;
  for (let level = 0; level < depth; level += 1) {
    const head =
      length < 128 ? Buffer.from([0x30, length]) : Buffer.from([0x30, 0x82, length >> 8, length & 255]);
    pieces.push(head);
    length += head.length;
  }
  der = Buffer.concat(pieces.reverse());
  return der;
}

test('random mutations anywhere never crash, hang or pass', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.uint8Array({ minLength: 1, maxLength: 600 })), {
        minLength: 1,
        maxLength: 5,
      }),
      async (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, piece] of changes) bytes.set(piece.subarray(0, bytes.length - at), at);
        fc.pre(!bytes.equals(good));
        await refused(bytes);
      },
    ),
    { numRuns: 60 },
  );
});

test('a terabyte of nothing behind a good image is refused at once', async () => {
  const path = join(work, 'large.raw');
  writeFileSync(path, good);
  truncateSync(path, 2 ** 40);
  await expect(verifyImage(path)).rejects.toMatchObject({ code: 'input' });
});

test('what is no file is refused at once', async () => {
  const [folder, pipe] = [join(work, 'folder'), join(work, 'pipe')];
  mkdirSync(folder);
  execFileSync('mkfifo', [pipe]);
  for (const path of [folder, pipe, '/dev/zero']) {
    await expect(readImage(path)).rejects.toMatchObject({ code: 'input' });
    await expect(verifyImage(path)).rejects.toMatchObject({ code: 'input' });
  }
});
