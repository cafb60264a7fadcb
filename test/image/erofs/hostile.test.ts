import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/image/erofs/crc32c.ts';
import { metered, openDevice } from '../../../src/image/erofs/device.ts';
import { openErofs } from '../../../src/image/erofs/index.ts';
import { SextantError } from '../../../src/support/errors.ts';
import { all, IMAGES, imageBytes, openBytes, withChecksum } from './corpus.ts';

const SUPERBLOCK = 1024;
const images = new Map(IMAGES.map((name) => [name, imageBytes(name)]));
const bytesOf = (name: string) => Buffer.from(images.get(name) as Buffer);

/** Lists everything and reads every file; what a look at an image costs at most is counted on the way. */
async function readEverything(bytes: Buffer): Promise<void> {
  let reads = 0;
  const erofs = await openErofs(async (offset, length) => {
    reads += 1;
    if (length > 2 * 1024 * 1024 || offset < 0 || offset + length > bytes.length) {
      throw new Error(`asked for ${length} bytes at ${offset}`);
    }
    if (reads > 100_000) throw new Error('asked too often');
    return bytes.subarray(offset, offset + length);
  }, bytes.length);
  const files: string[] = [];
  for await (const entry of erofs.list()) if (entry.kind === 'file') files.push(entry.path);
  // One damaged file must not hide the others.
  for (const path of files) {
    try {
      await erofs.read(path, { limit: 2 * 1024 * 1024 });
    } catch (error) {
      expectInputError(error);
    }
  }
}

function expectInputError(error: unknown): void {
  expect(error).toBeInstanceOf(SextantError);
  expect(error).toMatchObject({ code: 'input', hint: expect.any(String) });
}

async function endsWell(bytes: Buffer): Promise<void> {
  try {
    await readEverything(bytes);
  } catch (error) {
    expectInputError(error);
  }
}

const runs = Number(process.env.SEXTANT_FUZZ_RUNS ?? 150);

describe('damaged images end in a result or an error, in bounded work', () => {
  // The first blocks hold the superblock, the inodes, the indexes and the directories.
  const place = fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: SUPERBLOCK, max: SUPERBLOCK + 128 }) },
    { weight: 6, arbitrary: fc.integer({ min: SUPERBLOCK + 128, max: 24 * 1024 }) },
    { weight: 3, arbitrary: fc.nat() },
  );
  const change = fc.record({
    place,
    value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat({ max: 255 })),
  });

  it('after changed bytes, the checksum made right again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...IMAGES),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        async (name, changes) => {
          const bytes = bytesOf(name);
          for (const { place: at, value } of changes) bytes[at % bytes.length] = value;
          bytes[SUPERBLOCK + 12] = (images.get(name) as Buffer)[SUPERBLOCK + 12] as number;
          await endsWell(withChecksum(bytes));
        },
      ),
      { numRuns: runs },
    );
  }, 600_000);

  it('after being cut short', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...IMAGES),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (name, part) => {
          const bytes = bytesOf(name);
          await endsWell(bytes.subarray(0, Math.floor(part * (bytes.length - 1))));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('after blocks were exchanged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...IMAGES), fc.nat(), fc.nat(), async (name, from, to) => {
        const bytes = bytesOf(name);
        const blocks = bytes.length / 512;
        const source = (from % blocks) * 512;
        bytes.copy(bytes, (to % blocks) * 512, source, source + 512);
        bytes[SUPERBLOCK + 12] = (images.get(name) as Buffer)[SUPERBLOCK + 12] as number;
        await endsWell(withChecksum(bytes));
      }),
      { numRuns: runs },
    );
  }, 600_000);

  it('when they are any bytes at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
        await expect(openBytes(Buffer.from(bytes))).rejects.toMatchObject({ code: 'input' });
      }),
    );
  });
});

describe('the superblock', () => {
  const changed = (change: (superblock: Buffer) => void, checksum = true) => {
    const bytes = bytesOf('lz4hc-64k');
    change(bytes.subarray(SUPERBLOCK));
    return openBytes(checksum ? withChecksum(bytes) : bytes);
  };

  it('is refused after any one changed bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 128 * 8 - 1 }), async (bit) => {
        // The bit that says there is a checksum cannot be covered by it.
        fc.pre(bit !== 64);
        const flipped = changed((superblock) => {
          superblock[bit >> 3] = (superblock[bit >> 3] as number) ^ (1 << (bit & 7));
        }, false);
        await expect(flipped).rejects.toMatchObject({ code: 'input' });
      }),
    );
  });

  it.each([
    ['another magic number', (s: Buffer) => s.writeUInt32LE(1, 0), 'no erofs superblock'],
    ['too many blocks', (s: Buffer) => s.writeUInt32LE(0xffffffff, 36), 'truncated'],
    [
      '48-bit addresses',
      (s: Buffer) => s.writeUInt32LE(0x83, 80),
      'not supported by this reader: 48-bit addresses',
    ],
    ['metadata compression', (s: Buffer) => s.writeUInt32LE(0x103, 80), 'metadata box'],
    [
      'a feature of the future',
      (s: Buffer) => s.writeUInt32LE(0x40000003, 80),
      'incompatible feature 0x40000000',
    ],
    ['a second device', (s: Buffer) => s.writeUInt16LE(1, 86), 'more than one device'],
    ['an algorithm of the future', (s: Buffer) => s.writeUInt16LE(0x21, 84), 'compression algorithms 0x21'],
    ['large directory blocks', (s: Buffer) => s.writeUInt8(1, 90), 'directory blocks'],
  ])('with %s is refused by name', async (_, change, message) => {
    await expect(changed(change)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(message),
    });
  });

  it('whose root is no folder cannot be listed', async () => {
    const file = (await (await openBytes(bytesOf('lz4hc-64k'))).stat('/usr/share/text'))?.inode as number;
    const erofs = await changed((superblock) => superblock.writeUInt16LE(file, 14));
    await expect(all(erofs.list())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('root'),
    });
  });
});

describe('a directory', () => {
  /** The image `plain` with the record of `name` given to `change`. */
  async function withRecord(name: string, change: (record: Buffer, bytes: Buffer) => void) {
    const bytes = bytesOf('plain');
    const inode = (await (await openBytes(bytes)).stat(name))?.inode as number;
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(BigInt(inode));
    // The record of a folder in its parent: its inode number, then an offset, then the type.
    for (let at = bytes.indexOf(number); at >= 0; at = bytes.indexOf(number, at + 1)) {
      if (bytes[at + 10] === 2 && bytes[at + 11] === 0) {
        change(bytes.subarray(at, at + 12), bytes);
        return openBytes(withChecksum(bytes));
      }
    }
    throw new Error(`no record of ${name}`);
  }

  it('that holds itself ends the listing', async () => {
    const root = (await (await openBytes(bytesOf('plain'))).stat('/'))?.inode as number;
    const erofs = await withRecord('/deep/d/e/e', (record) => record.writeBigUInt64LE(BigInt(root)));
    await expect(all(erofs.list())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('is in two places'),
    });
  });

  it('with a name outside its block is refused', async () => {
    const erofs = await withRecord('/deep/d/e/e', (record) => record.writeUInt16LE(0xfff0, 8));
    await expect(all(erofs.list())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/^\/deep/),
    });
  });

  it('whose entry is of another type than its inode is refused', async () => {
    const erofs = await withRecord('/deep/d/e/e', (record) => record.writeUInt8(1, 10));
    await expect(all(erofs.list())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('its directory says file'),
    });
  });

  it('with an inode number past the end is refused', async () => {
    for (const number of [0x7fffffffn, 0xffffffffffffffffn]) {
      const erofs = await withRecord('/deep/d/e/e', (record) => record.writeBigUInt64LE(number));
      await expect(all(erofs.list())).rejects.toMatchObject({ code: 'input' });
    }
  });
});

it('a source that gives fewer bytes than asked is an error that says so', async () => {
  const bytes = bytesOf('plain');
  const short = openErofs(
    async (offset, length) => bytes.subarray(offset, offset + length - 1),
    bytes.length,
  );
  await expect(short).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('ended early'),
  });
});

it('an error of the source itself is passed on unchanged', async () => {
  const failure = new SextantError('network', 'the server went away');
  await expect(openErofs(() => Promise.reject(failure), 100_000)).rejects.toBe(failure);
});

it('an operation that reads or decodes more than its budget ends', async () => {
  const bytes = bytesOf('plain');
  const device = metered(
    openDevice(async (offset, length) => bytes.subarray(offset, offset + length), bytes.length),
    100,
  );
  await device.metadata(0, 64, 'a test');
  device.spend(36);
  await expect(device.data(0, 1, 'a test')).rejects.toMatchObject({ code: 'input' });
  expect(() => device.spend(1)).toThrow(SextantError);
});

it('the checksum is CRC-32C', () => {
  expect((crc32c(Buffer.from('123456789')) ^ 0xffffffff) >>> 0).toBe(0xe3069283);
});
