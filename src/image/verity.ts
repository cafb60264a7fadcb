import { SextantError } from '../support/errors.ts';
import { derivedUuid } from './dps.ts';

// dm-verity on-disk format, version 1 (kernel, Documentation/admin-guide/device-mapper/verity.rst; cryptsetup, "DMVerity").
export const BLOCK = 4096;
export const DIGEST = 32;
export const HASHES_PER_BLOCK = BLOCK / DIGEST;
export const SALT_SIZE = 32;
const SUPERBLOCK_BYTES = 512;

/** Where each level of a hash tree lies in the hash partition, in blocks; level 0 holds the hashes of the data. */
export interface TreeLayout {
  readonly dataBlocks: number;
  readonly levels: readonly { readonly first: number; readonly blocks: number }[];
  /** Blocks of the whole partition, with the superblock's. */
  readonly blocks: number;
}

/** Layout of the tree over `dataBlocks` blocks: the superblock, then the levels from the top down. At least two blocks of data. */
export function treeLayout(dataBlocks: number): TreeLayout {
  if (!Number.isSafeInteger(dataBlocks) || dataBlocks < 2)
    throw new Error(`no hash tree over ${dataBlocks} blocks`);
  const sizes: number[] = [];
  let count = dataBlocks;
  do {
    count = Math.ceil(count / HASHES_PER_BLOCK);
    sizes.push(count);
  } while (count > 1);
  let first = 1;
  const levels = sizes
    .reverse()
    .map((blocks) => {
      const level = { first, blocks };
      first += blocks;
      return level;
    })
    .reverse();
  return { dataBlocks, levels, blocks: first };
}

/** The first block of a hash partition. Its UUID follows from the salt, so that no bit of it can change unnoticed. */
export function encodeSuperblock(dataBlocks: number, salt: Buffer): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write('verity\0\0', 0, 'latin1');
  block.writeUInt32LE(1, 8); // Version.
  block.writeUInt32LE(1, 12); // Hash type: salt first.
  Buffer.from(superblockUuid(salt).replaceAll('-', ''), 'hex').copy(block, 16);
  block.write('sha256', 32, 'latin1');
  block.writeUInt32LE(BLOCK, 64);
  block.writeUInt32LE(BLOCK, 68);
  block.writeBigUInt64LE(BigInt(dataBlocks), 72);
  block.writeUInt16LE(salt.length, 80);
  salt.copy(block, 88);
  return block;
}

export function superblockUuid(salt: Buffer): string {
  return derivedUuid(`sextant verity ${salt.toString('hex')}`);
}

/** Reads a superblock of a partition of `size` bytes over `dataSize` bytes of data. Throws `input` for anything else than what fits. */
export function parseSuperblock(
  block: Buffer,
  size: number,
  dataSize: number,
  name: string,
): { readonly salt: Buffer; readonly layout: TreeLayout } {
  const wrong = (why: string) => new SextantError('input', `${name}: its dm-verity superblock ${why}`);
  if (block.length < SUPERBLOCK_BYTES || block.toString('latin1', 0, 8) !== 'verity\0\0')
    throw wrong('is missing');
  if (block.readUInt32LE(8) !== 1 || block.readUInt32LE(12) !== 1) throw wrong('is of an unknown version');
  if (block.toString('latin1', 32, 64).replace(/\0+$/, '') !== 'sha256')
    throw wrong('asks for another hash than sha256');
  if (block.readUInt32LE(64) !== BLOCK || block.readUInt32LE(68) !== BLOCK)
    throw wrong('has blocks of another size than 4096');
  const dataBlocks = Number(block.readBigUInt64LE(72));
  const saltSize = block.readUInt16LE(80);
  if (saltSize > 256) throw wrong(`has a salt of ${saltSize} bytes`);
  if (dataBlocks < 2 || dataBlocks > dataSize / BLOCK)
    throw wrong(`covers ${dataBlocks} blocks, the data has ${dataSize / BLOCK}`);
  const layout = treeLayout(dataBlocks);
  if (layout.blocks * BLOCK > size) throw wrong('has no room for its tree in the partition');
  return { salt: Buffer.from(block.subarray(88, 88 + saltSize)), layout };
}
