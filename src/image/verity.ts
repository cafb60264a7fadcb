import { hash as oneShot } from 'node:crypto';
import { malformed } from './failure.ts';
import { uuidBytes, uuidText } from './uuid.ts';

/**
 * dm-verity on-disk format, version 1 (https://gitlab.com/cryptsetup/cryptsetup/-/wikis/DMVerity and the kernel's
 * admin-guide/device-mapper/verity): SHA-256 over salt and block, blocks of 4096 bytes. The same result as `veritysetup format` with
 * the same salt and UUID.
 */
export const BLOCK = 4096;
export const DIGEST = 32;
export const DIGESTS_PER_BLOCK = BLOCK / DIGEST;
/** The superblock has the first block of the hash partition for itself. */
export const SUPERBLOCK_SIZE = BLOCK;

// Superblock fields; 512 bytes are defined, the rest of the block is zero.
const FIELD = {
  signature: 0,
  version: 8,
  hashType: 12,
  uuid: 16,
  algorithm: 32,
  dataBlockSize: 64,
  hashBlockSize: 68,
  dataBlocks: 72,
  saltSize: 80,
  salt: 88,
} as const;
const SIGNATURE = 'verity\0\0';
const ALGORITHM = 'sha256';
const ALGORITHM_BYTES = 32;
const MAX_SALT = 256;

export interface VeritySuperblock {
  readonly uuid: string;
  /** Number of 4096-byte blocks that are protected; at least 1. */
  readonly dataBlocks: number;
  readonly salt: Buffer;
}

/** One level of the tree: `blocks` hash blocks at `offset` bytes from the hash partition's start. */
export interface TreeLevel {
  readonly offset: number;
  readonly blocks: number;
}

/** The superblock's 4096 bytes. */
export function encodeSuperblock({ uuid, dataBlocks, salt }: VeritySuperblock): Buffer {
  const block = Buffer.alloc(SUPERBLOCK_SIZE);
  block.write(SIGNATURE, FIELD.signature, 'latin1');
  block.writeUInt32LE(1, FIELD.version);
  block.writeUInt32LE(1, FIELD.hashType);
  uuidBytes(uuid).copy(block, FIELD.uuid);
  block.write(ALGORITHM, FIELD.algorithm, 'latin1');
  block.writeUInt32LE(BLOCK, FIELD.dataBlockSize);
  block.writeUInt32LE(BLOCK, FIELD.hashBlockSize);
  block.writeBigUInt64LE(BigInt(dataBlocks), FIELD.dataBlocks);
  block.writeUInt16LE(salt.length, FIELD.saltSize);
  salt.copy(block, FIELD.salt);
  return block;
}

/**
 * Reads a superblock. `dataSize` and `hashSize` are the bytes of the two partitions: a superblock that speaks of more is refused, so that
 * nothing is read past their ends. Throws `input`; `name` is what errors call the image.
 */
export function parseSuperblock(
  bytes: Buffer,
  dataSize: number,
  hashSize: number,
  name: string,
): VeritySuperblock {
  if (bytes.length < FIELD.salt + MAX_SALT || bytes.toString('latin1', 0, 8) !== SIGNATURE) {
    throw malformed(name, 'its verity partition holds no dm-verity superblock');
  }
  const expect = (field: string, found: number | string, wanted: number | string) => {
    if (found !== wanted)
      throw malformed(name, `its dm-verity superblock has ${field} ${found}, only ${wanted} is known`);
  };
  expect('version', bytes.readUInt32LE(FIELD.version), 1);
  expect('hash type', bytes.readUInt32LE(FIELD.hashType), 1);
  const algorithm = bytes.toString('latin1', FIELD.algorithm, FIELD.algorithm + ALGORITHM_BYTES);
  expect('algorithm', JSON.stringify(algorithm.replace(/\0+$/u, '')), JSON.stringify(ALGORITHM));
  expect('data block size', bytes.readUInt32LE(FIELD.dataBlockSize), BLOCK);
  expect('hash block size', bytes.readUInt32LE(FIELD.hashBlockSize), BLOCK);
  const saltSize = bytes.readUInt16LE(FIELD.saltSize);
  if (saltSize > MAX_SALT) {
    throw malformed(
      name,
      `its dm-verity superblock has a salt of ${saltSize} bytes, at most ${MAX_SALT} are allowed`,
    );
  }
  const dataBlocks = bytes.readBigUInt64LE(FIELD.dataBlocks);
  if (dataBlocks < 1n || dataBlocks > BigInt(Math.floor(dataSize / BLOCK))) {
    throw malformed(
      name,
      `its dm-verity superblock covers ${dataBlocks} blocks, the root partition has ${Math.floor(dataSize / BLOCK)}`,
    );
  }
  const needed = hashPartitionSize(Number(dataBlocks));
  if (needed > hashSize) {
    throw malformed(name, `its verity partition has ${hashSize} bytes, the hash tree needs ${needed}`);
  }
  return {
    uuid: uuidText(bytes.subarray(FIELD.uuid, FIELD.uuid + 16)),
    dataBlocks: Number(dataBlocks),
    salt: Buffer.from(bytes.subarray(FIELD.salt, FIELD.salt + saltSize)),
  };
}

/** Levels of the tree, the one over the data first. On disk the topmost comes first. None for a single data block. */
export function treeLevels(dataBlocks: number): TreeLevel[] {
  const counts: number[] = [];
  for (let blocks = dataBlocks; blocks > 1; ) {
    blocks = Math.ceil(blocks / DIGESTS_PER_BLOCK);
    counts.push(blocks);
  }
  return counts.map((blocks, level) => ({
    blocks,
    offset: SUPERBLOCK_SIZE + counts.slice(level + 1).reduce((sum, above) => sum + above, 0) * BLOCK,
  }));
}

/** Bytes of superblock and tree. */
export function hashPartitionSize(dataBlocks: number): number {
  return SUPERBLOCK_SIZE + treeLevels(dataBlocks).reduce((sum, { blocks }) => sum + blocks, 0) * BLOCK;
}

/** Hexadecimal digest of one block: of the topmost one it is the root hash. */
export function blockHash(salt: Uint8Array, block: Uint8Array): string {
  return oneShot('sha256', Buffer.concat([salt, block]), 'hex');
}
