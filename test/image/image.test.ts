import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGpt, PRIMARY_BYTES, parseGpt } from '../../src/image/gpt.ts';
import { readImage, verifyImage } from '../../src/image/index.ts';
import { ROOT_OFFSET } from '../../src/image/layout.ts';
import { readCertificate } from '../../src/image/signature.ts';
import { treeLayout } from '../../src/image/verity.ts';
import { silent } from '../../src/support/progress.ts';
import { dataBlocks, makeSigner, type SigningFiles, seal } from './fixture.ts';

const work = mkdtempSync(join(tmpdir(), 'sextant-image-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const context = { cache: work, progress: silent, signal: new AbortController().signal };
const signers = { a: makeSigner(work, 'a'), b: makeSigner(work, 'b') };

/** An image around bytes that stand where a file system would, checked to hold them. */
async function sealed(name: string, blocks: number, signing?: SigningFiles): Promise<string> {
  const path = join(work, name);
  const data = dataBlocks(blocks);
  rmSync(path, { force: true });
  await seal(path, data, context, signing);
  const written = readFileSync(path).subarray(ROOT_OFFSET, ROOT_OFFSET + data.length);
  expect(written.equals(data)).toBe(true);
  expect(existsSync(`${path}.data`)).toBe(false);
  return path;
}

let plain: string;
let signed: string;
beforeAll(async () => {
  plain = await sealed('plain.raw', 300);
  signed = await sealed('signed.raw', 40, signers.a);
});

/** The same verification over a copy with one byte changed. */
async function changed(path: string, at: number, bit: number): Promise<string> {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  const copy = join(work, `changed-${at}-${bit}.raw`);
  writeFileSync(copy, bytes);
  return copy;
}

describe('hash tree layout', () => {
  test.each([
    [2, [1]],
    [128, [1]],
    [129, [2, 1]],
    [128 * 128 + 1, [129, 2, 1]],
  ])('%i blocks of data have levels of %j blocks', (blocks, sizes) => {
    const { levels, blocks: all } = treeLayout(blocks);
    expect(levels.map((level) => level.blocks)).toEqual(sizes);
    expect(levels.at(-1)?.first).toBe(1);
    expect(all).toBe(1 + sizes.reduce((sum, size) => sum + size, 0));
  });
});

test('a partition table is read as it was written', () => {
  const uuid = fc.uuid();
  fc.assert(
    fc.property(uuid, uuid, uuid, fc.integer({ min: 1, max: 1000 }), (diskUuid, typeUuid, own, blocks) => {
      fc.pre(!/^[0-]+$/.test(typeUuid));
      const gpt = {
        diskUuid,
        diskSize: 4 * 1024 * 1024 + blocks * 4096,
        partitions: [
          {
            typeUuid,
            uuid: own,
            label: 'provider-kairos',
            offset: 1024 * 1024,
            size: blocks * 4096,
            flags: 1n << 60n,
          },
        ],
      };
      const { primary } = encodeGpt(gpt);
      expect(parseGpt(primary, gpt.diskSize, 'x')).toEqual(gpt);
    }),
  );
});

test('any bytes for a partition table end in a table or in one input error', () => {
  const { primary } = encodeGpt({
    diskUuid: '00000000-0000-0000-0000-000000000001',
    diskSize: 8 * 1024 * 1024,
    partitions: [],
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(PRIMARY_BYTES - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const bytes = Buffer.from(primary);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        parseGpt(bytes, 8 * 1024 * 1024, 'x');
      } catch (error) {
        expect(error).toMatchObject({ code: 'input' });
      }
    }),
  );
});

test('an image verifies and says its root hash in its UUIDs', async () => {
  const { info, warnings } = await verifyImage(plain);
  expect(warnings).toEqual([]);
  const [root, verity] = info.partitions;
  expect(`${root?.uuid}${verity?.uuid}`.replaceAll('-', '')).toBe(info.rootHash);
  expect(await readImage(plain)).toEqual(info);
  expect(info.size).toBe(statSync(plain).size);
});

test('the same content and seed give the same bytes', async () => {
  expect(readFileSync(await sealed('again.raw', 300)).equals(readFileSync(plain))).toBe(true);
  expect(readFileSync(await sealed('signed-again.raw', 40, signers.a)).equals(readFileSync(signed))).toBe(
    true,
  );
});

test('one changed bit in any structure, gap or padding is an error', async () => {
  for (const path of [plain, signed]) {
    const { partitions, size } = await readImage(path);
    const places = [
      0,
      440,
      446,
      511,
      512 + 16,
      512 + 60,
      1024,
      1024 + 48,
      17408,
      ROOT_OFFSET - 1,
      size - 1,
      size - 512,
      size - 16896,
    ];
    for (const { offset, size: length } of partitions) {
      places.push(offset, offset + 16, offset + 90, offset + 400, offset + length - 1, offset + length);
    }
    for (const at of places.filter((place) => place < size)) {
      await expect(verifyImage(await changed(path, at, 3)), `byte ${at} of ${size}`).rejects.toMatchObject({
        code: expect.stringMatching(/^(verification|input)$/),
      });
    }
  }
});

test('one changed bit anywhere is an error', async () => {
  const { size } = await readImage(signed);
  await fc.assert(
    fc.asyncProperty(fc.nat(size - 1), fc.nat(7), async (at, bit) => {
      await expect(verifyImage(await changed(signed, at, bit))).rejects.toMatchObject({
        code: expect.stringMatching(/^(verification|input)$/),
      });
    }),
    { numRuns: 40 },
  );
});

test('every bit of the signature counts', async () => {
  const { partitions } = await readImage(signed);
  const signature = partitions[2];
  if (signature === undefined) throw new Error('not signed');
  const length = readFileSync(signed).subarray(signature.offset).indexOf(0);
  await fc.assert(
    fc.asyncProperty(fc.nat(length - 1), fc.nat(7), async (at, bit) => {
      await expect(verifyImage(await changed(signed, signature.offset + at, bit))).rejects.toMatchObject({
        code: expect.stringMatching(/^(verification|input)$/),
      });
    }),
    { numRuns: 60 },
  );
});

test('a truncated or lengthened image is an error', async () => {
  for (const delta of [-4096, -512, -1, 1, 512, 4096]) {
    const copy = await changed(plain, 0, 0);
    writeFileSync(copy, readFileSync(plain));
    truncateSync(copy, statSync(plain).size + delta);
    await expect(verifyImage(copy)).rejects.toMatchObject({ code: 'input' });
  }
});

test('random bytes, an empty file and a text are no images', async () => {
  for (const bytes of [
    randomBytes(100_000),
    Buffer.alloc(0),
    Buffer.from('<html>'),
    Buffer.alloc(2_000_000),
  ]) {
    const path = join(work, 'noise');
    writeFileSync(path, bytes);
    await expect(readImage(path)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('not an extension image'),
    });
  }
});

test('another root hash than the expected one is an error that names both', async () => {
  await expect(verifyImage(plain, { rootHash: 'a'.repeat(64) })).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringMatching(/its root hash is [0-9a-f]{64}, expected is a{64}/),
  });
});

test('a signature counts for its signer alone', async () => {
  await expect(
    verifyImage(signed, { certificates: [await readCertificate(signers.a.certificate)] }),
  ).resolves.toBeDefined();
  await expect(
    verifyImage(signed, { certificates: [await readCertificate(signers.b.certificate)] }),
  ).rejects.toMatchObject({
    code: 'verification',
  });
  await expect(
    verifyImage(plain, { certificates: [await readCertificate(signers.a.certificate)] }),
  ).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringContaining('it is not signed'),
  });
});

test('openssl verifies the signature over the root hash', async () => {
  const { rootHash, partitions } = await readImage(signed);
  const offset = partitions[2]?.offset ?? 0;
  const bytes = readFileSync(signed).subarray(offset);
  const { signature } = JSON.parse(bytes.subarray(0, bytes.indexOf(0)).toString());
  writeFileSync(join(work, 'sig.der'), Buffer.from(signature, 'base64'));
  writeFileSync(join(work, 'hash'), rootHash);
  const verified = execFileSync(
    'openssl',
    [
      'smime',
      '-verify',
      '-binary',
      '-inform',
      'DER',
      '-in',
      join(work, 'sig.der'),
      '-content',
      join(work, 'hash'),
      '-CAfile',
      signers.a.certificate,
      '-purpose',
      'any',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  expect(verified).toBe(rootHash);
});

test('a key that is not the certificate’s is refused before anything is signed', async () => {
  await expect(
    sealed('mixed.raw', 4, { key: signers.a.key, certificate: signers.b.certificate }),
  ).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('is not the key of'),
  });
});

test('an expired certificate is a warning, and an error where dates are required', async () => {
  const now = new Date(Date.now() + 10 * 86_400_000);
  expect((await verifyImage(signed)).warnings).toEqual([]);
  expect((await verifyImage(signed, { now })).warnings[0]).toContain('its certificate expired at');
  await expect(verifyImage(signed, { now, requireValidDates: true })).rejects.toMatchObject({
    code: 'verification',
  });
});
