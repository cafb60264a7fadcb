import { crc32c } from './crc32c.ts';
import type { Device } from './device.ts';
import { malformed, unsupported } from './failure.ts';
import { MAX_BLOCK_BITS, MIN_BLOCK_BITS } from './limits.ts';

/** Where the superblock starts; the first KiB is left to boot sectors. */
const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_SIZE = 128;
const MAGIC = 0xe0f5e1e2;

/** Byte offsets in `struct erofs_super_block` (Linux fs/erofs/erofs_fs.h). */
const AT = {
  magic: 0,
  checksum: 4,
  featureCompat: 8,
  blockBits: 12,
  rootNid: 14,
  inodes: 16,
  epoch: 24,
  blocks: 36,
  metadataBlock: 40,
  uuid: 48,
  label: 64,
  featureIncompat: 80,
  algorithms: 84,
  extraDevices: 86,
  directoryBlockBits: 90,
  packedNid: 96,
  buildTime: 108,
} as const;

const COMPAT_CHECKSUM = 0x1;

export const INCOMPAT = {
  /** Compressed data is padded in front, so that it ends where its cluster ends. */
  zeroPadding: 0x1,
  /** Compression configurations follow the superblock; also: big physical clusters. */
  compressionConfigs: 0x2,
  chunkedFiles: 0x4,
  /** A device table; also: a second algorithm per file. */
  deviceTable: 0x8,
  tailPacking: 0x10,
  /** Fragments in a packed inode; also: deduplicated extents. */
  fragments: 0x20,
  longXattrPrefixes: 0x40,
} as const;
const KNOWN_INCOMPAT = 0x7f;
const NAMED_INCOMPAT: Readonly<Record<number, string>> = { 128: '48-bit addresses', 256: 'metadata box' };

/** Names by bit number (Z_EROFS_COMPRESSION_*). */
export const ALGORITHMS = ['lz4', 'lzma', 'deflate', 'zstd'] as const;

/** What the reader needs of the superblock; offsets and sizes in bytes unless named blocks. */
export interface Layout {
  readonly uuid: string;
  readonly label: string;
  readonly inodes: number;
  /** Seconds since 1970. */
  readonly buildTime: number;
  /** Seconds since 1970 that inodes without a time of their own count from. */
  readonly epoch: number;
  readonly blockBits: number;
  readonly blockSize: number;
  readonly rootNid: number;
  /** Where inode numbers count from. */
  readonly metadataOffset: number;
  readonly packedNid: number;
  readonly featureIncompat: number;
  /** Bit per algorithm that files may use. */
  readonly algorithms: number;
}

/** Reads and checks the superblock: magic, CRC-32C, known features, sizes. Throws `input`. */
export async function readSuperblock(device: Device): Promise<Layout> {
  if (device.size < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) throw malformed('too short to hold a superblock');
  const bytes = await device.metadata(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE, 'superblock');
  if (bytes.readUInt32LE(AT.magic) !== MAGIC) throw malformed('no erofs superblock (wrong magic number)');
  const blockBits = bytes.readUInt8(AT.blockBits);
  if (blockBits < MIN_BLOCK_BITS || blockBits > MAX_BLOCK_BITS)
    throw malformed(`block size of 2^${blockBits} bytes`);
  const blockSize = 2 ** blockBits;
  if (bytes.readUInt32LE(AT.featureCompat) & COMPAT_CHECKSUM) await checkSum(device, bytes, blockSize);

  const featureIncompat = bytes.readUInt32LE(AT.featureIncompat);
  const unknown = (featureIncompat & ~KNOWN_INCOMPAT) >>> 0;
  if (unknown) {
    const lowest = (unknown & -unknown) >>> 0;
    throw unsupported(NAMED_INCOMPAT[lowest] ?? `incompatible feature 0x${lowest.toString(16)}`);
  }
  if (bytes.readUInt16LE(AT.extraDevices) > 0) throw unsupported('more than one device');
  if (bytes.readUInt8(AT.directoryBlockBits) > 0) throw unsupported('directory blocks larger than a block');
  const blocks = bytes.readUInt32LE(AT.blocks);
  if (blocks * blockSize > device.size) {
    throw malformed(`${blocks} blocks of ${blockSize} bytes do not fit in ${device.size} bytes (truncated?)`);
  }
  const epoch = signed64(bytes, AT.epoch);
  return {
    uuid: uuidText(bytes.subarray(AT.uuid, AT.uuid + 16)),
    label: bytes.toString('utf8', AT.label, AT.label + 16).replace(/\0.*$/s, ''),
    inodes: unsigned64(bytes, AT.inodes),
    epoch,
    buildTime: epoch + bytes.readUInt32LE(AT.buildTime),
    blockBits,
    blockSize,
    rootNid: bytes.readUInt16LE(AT.rootNid),
    metadataOffset: bytes.readUInt32LE(AT.metadataBlock) * blockSize,
    packedNid: unsigned64(bytes, AT.packedNid),
    featureIncompat,
    algorithms: algorithmBits(featureIncompat, bytes.readUInt16LE(AT.algorithms)),
  };
}

/** The checksum covers the superblock's block from the superblock on (a whole block after it where blocks are that small). */
async function checkSum(device: Device, superblock: Buffer, blockSize: number): Promise<void> {
  const length = blockSize > SUPERBLOCK_OFFSET ? blockSize - SUPERBLOCK_OFFSET : blockSize;
  const covered = Buffer.from(await device.metadata(SUPERBLOCK_OFFSET, length, 'superblock'));
  covered.writeUInt32LE(0, AT.checksum);
  if (crc32c(covered) !== superblock.readUInt32LE(AT.checksum))
    throw malformed('the checksum of the superblock is wrong');
}

/** Without configurations the field is the LZ4 window, and lz4 the only algorithm there can be. */
function algorithmBits(featureIncompat: number, field: number): number {
  if (!(featureIncompat & INCOMPAT.compressionConfigs)) {
    return field !== 0 || featureIncompat & INCOMPAT.zeroPadding ? 1 : 0;
  }
  if (field >= 1 << ALGORITHMS.length) throw unsupported(`compression algorithms 0x${field.toString(16)}`);
  return field;
}

/** A 64-bit number that must fit in 53 bits. */
export function unsigned64(bytes: Buffer, offset: number): number {
  const high = bytes.readUInt32LE(offset + 4);
  if (high >= 0x200000) throw malformed(`a number of ${high.toString(16)} times 2^32 is out of range`);
  return high * 0x1_0000_0000 + bytes.readUInt32LE(offset);
}

/** Like unsigned64, for times before 1970 too. */
export function signed64(bytes: Buffer, offset: number): number {
  const high = bytes.readInt32LE(offset + 4);
  if (high >= 0x200000 || high < -0x200000) throw malformed('a time is out of range');
  return high * 0x1_0000_0000 + bytes.readUInt32LE(offset);
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
