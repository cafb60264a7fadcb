import { malformed } from './failure.ts';
import { DATA_LAYOUT, type Inode, type Volume } from './inode.ts';
import { ALGORITHMS } from './superblock.ts';

/**
 * The index of a compressed file: one record for each logical cluster (a block of the decoded file). A HEAD or PLAIN record starts an
 * extent somewhere in its cluster; NONHEAD records continue it, and the first of them may hold the number of blocks the extent takes
 * on disk. Records are 8 bytes each, or packed: two in 8 bytes or sixteen in 32, with one block address for the pack.
 * Linux fs/erofs/zmap.c, erofs_fs.h.
 */

/** `di_advise` and the type bits of packed records. */
export const LCLUSTER = { plain: 0, head1: 1, nonhead: 2, head2: 3 } as const;

const ADVISE = {
  compacted2b: 0x01,
  bigCluster1: 0x02,
  bigCluster2: 0x04,
  inlineTail: 0x08,
  interlaced: 0x10,
  fragment: 0x20,
} as const;
const PARTIAL_REFERENCE = 0x8000;
/** In a NONHEAD record: the rest is a count of blocks. */
const BLOCK_COUNT = 0x800;
const WHOLE_FILE_IS_FRAGMENT = 0x80;

const HEADER_SIZE = 8;
const FULL_RECORD_SIZE = 8;
const ADDRESS_SIZE = 4;

/** `struct z_erofs_map_header`, and where the index lies. */
export interface IndexHeader {
  readonly inode: Inode;
  /** Number of records. */
  readonly clusters: number;
  /** First byte of the index. */
  readonly offset: number;
  /** First byte after it: an inline tail sits here. */
  readonly end: number;
  /** Leading records in packs of two, and those in packs of sixteen after them; the rest is in packs of two again. */
  readonly pairsFirst: number;
  readonly sixteens: number;
  readonly bigCluster1: boolean;
  readonly bigCluster2: boolean;
  readonly interlaced: boolean;
  /** Decoders of HEAD1 and HEAD2 records. */
  readonly algorithms: readonly [number, number];
  /** Encoded bytes of the last extent, when it is stored behind the index. */
  readonly inlineTailSize: number;
  /** Byte in the packed inode where the last extent, or the whole file, is. */
  readonly fragment: { readonly whole: boolean; readonly offset: number } | undefined;
}

/** What the records say, in order. `head` starts an extent at byte `offset` of cluster `cluster`. */
export interface RecordSink {
  head(cluster: number, type: number, offset: number, block: number, partial: boolean): void;
  nonhead(cluster: number, blocks: number | undefined): void;
}

export async function readIndexHeader(volume: Volume, inode: Inode): Promise<IndexHeader> {
  const { blockBits, blockSize } = volume.layout;
  const start = roundUp(inode.bodyOffset, 8);
  const header = await volume.device.metadata(start, HEADER_SIZE, `index header of inode ${inode.nid}`);
  const advise = header.readUInt16LE(4);
  const bits = header.readUInt8(7);
  const algorithm = header.readUInt8(6);
  const clusters = Math.ceil(inode.size / blockSize);
  const common = {
    inode,
    clusters,
    bigCluster1: (advise & ADVISE.bigCluster1) !== 0,
    bigCluster2: (advise & ADVISE.bigCluster2) !== 0,
    interlaced: (advise & ADVISE.interlaced) !== 0,
    algorithms: [algorithm & 15, algorithm >> 4] as const,
  };
  if (bits & WHOLE_FILE_IS_FRAGMENT) {
    // The other 63 bits of the header are the offset.
    const offset = header.readUInt32LE(0) + (header.readUInt32LE(4) & 0x7fffffff) * 0x1_0000_0000;
    return { ...common, ...NO_INDEX, offset: start, end: start, fragment: { whole: true, offset } };
  }
  if (bits !== 0) throw malformed(`inode ${inode.nid} has logical clusters larger than a block`);
  for (const number of common.algorithms) {
    if (number >= ALGORITHMS.length)
      throw malformed(`inode ${inode.nid} names compression algorithm ${number}`);
  }
  const tail = {
    inlineTailSize: advise & ADVISE.inlineTail ? header.readUInt16LE(2) : 0,
    fragment: advise & ADVISE.fragment ? { whole: false, offset: header.readUInt32LE(0) } : undefined,
  };
  if (inode.dataLayout === DATA_LAYOUT.compressedFull) {
    if (advise & ADVISE.compacted2b) throw malformed(`inode ${inode.nid} has an index of extents`);
    const offset = start + HEADER_SIZE + 8;
    return { ...NO_INDEX, ...common, ...tail, offset, end: offset + clusters * FULL_RECORD_SIZE };
  }
  if (common.bigCluster1 !== common.bigCluster2) {
    throw malformed(`inode ${inode.nid} mixes big and small clusters in a packed index`);
  }
  if (blockBits > 14) throw malformed(`a packed index with blocks of ${blockSize} bytes`);
  const offset = start + HEADER_SIZE;
  // Packs of sixteen are aligned to their own 32 bytes; pairs fill up to there, and hold what is left over.
  const untilAligned = ((32 - (offset % 32)) / 4) & 7;
  const sixteensUsed = advise & ADVISE.compacted2b && untilAligned < clusters;
  if (sixteensUsed && blockBits > 12) throw malformed('packs of sixteen need blocks of 4096 bytes or less');
  const pairsFirst = sixteensUsed ? untilAligned : 0;
  const sixteens = sixteensUsed ? Math.floor((clusters - untilAligned) / 16) * 16 : 0;
  const pairsLast = clusters - pairsFirst - sixteens;
  const end = offset + pairsFirst * 4 + sixteens * 2 + roundUp(pairsLast, 2) * 4;
  return { ...common, ...tail, offset, end, pairsFirst, sixteens };
}

const NO_INDEX = { pairsFirst: 0, sixteens: 0, inlineTailSize: 0, fragment: undefined };

/** Reads the records in order and gives each to `sink`; stops for the caller after every few thousand of them. */
export async function* readRecords(
  volume: Volume,
  header: IndexHeader,
  sink: RecordSink,
): AsyncGenerator<void> {
  const { inode, clusters, pairsFirst, sixteens } = header;
  const what = `index of inode ${inode.nid}`;
  if (header.end > volume.device.size) throw malformed(`${what} ends past the end of the file system`);
  if (inode.dataLayout === DATA_LAYOUT.compressedFull) {
    for (let first = 0; first < clusters; first += RECORDS_AT_A_TIME) {
      const count = Math.min(RECORDS_AT_A_TIME, clusters - first);
      const bytes = await volume.device.metadata(
        header.offset + first * FULL_RECORD_SIZE,
        count * FULL_RECORD_SIZE,
        what,
      );
      readFullRecords(bytes, first, sink);
      yield;
    }
    return;
  }
  let offset = header.offset;
  let first = 0;
  const regions: readonly [number, number][] = [
    [pairsFirst, 2],
    [sixteens, 16],
    [clusters - pairsFirst - sixteens, 2],
  ];
  for (const [records, perPack] of regions) {
    const packSize = perPack === 2 ? 8 : 32;
    for (let done = 0; done < records; ) {
      const count = Math.min(RECORDS_AT_A_TIME, records - done);
      const size = Math.ceil(count / perPack) * packSize;
      const bytes = await volume.device.metadata(offset, size, what);
      for (let pack = 0; pack * perPack < count; pack += 1) {
        const packed = bytes.subarray(pack * packSize, (pack + 1) * packSize);
        const valid = Math.min(perPack, count - pack * perPack);
        readPack(packed, perPack, valid, first + pack * perPack, header, volume.layout.blockBits, sink);
      }
      offset += size;
      done += count;
      first += count;
      yield;
    }
  }
}

/** A multiple of 16. */
const RECORDS_AT_A_TIME = 4096;

function readFullRecords(bytes: Buffer, first: number, sink: RecordSink): void {
  for (let offset = 0; offset < bytes.length; offset += FULL_RECORD_SIZE) {
    const cluster = first + offset / FULL_RECORD_SIZE;
    const advise = bytes.readUInt16LE(offset);
    const type = advise & 3;
    if (type === LCLUSTER.nonhead) {
      const delta = bytes.readUInt16LE(offset + 4);
      sink.nonhead(cluster, delta & BLOCK_COUNT ? delta & ~BLOCK_COUNT : undefined);
    } else {
      const partial = (advise & PARTIAL_REFERENCE) !== 0;
      sink.head(cluster, type, bytes.readUInt16LE(offset + 2), bytes.readUInt32LE(offset + 4), partial);
    }
  }
}

/**
 * One pack: `perPack` records of `offset or delta, type` from the lowest bit on, then the block address that the first extent of the
 * pack starts at (the block before it, where clusters are always one block). Later extents follow the blocks of earlier ones.
 */
function readPack(
  pack: Buffer,
  perPack: number,
  valid: number,
  first: number,
  { bigCluster1 }: IndexHeader,
  blockBits: number,
  sink: RecordSink,
): void {
  const address = pack.length - ADDRESS_SIZE;
  const valueBits = Math.max(blockBits, 12);
  const recordBits = (address * 8) / perPack;
  let block = pack.readUInt32LE(address) + (bigCluster1 ? 0 : 1);
  let open = false; // A head whose blocks are not counted yet.
  for (let index = 0; index < valid; index += 1) {
    const bit = index * recordBits;
    const record = pack.readUInt32LE(bit >> 3) >>> (bit & 7);
    const value = record & ((1 << valueBits) - 1);
    const type = (record >>> valueBits) & 3;
    if (type === LCLUSTER.nonhead) {
      const counted = (value & BLOCK_COUNT) !== 0;
      if (counted) block += value & ~BLOCK_COUNT;
      else if (open) block += 1;
      open = false;
      sink.nonhead(first + index, counted ? value & ~BLOCK_COUNT : undefined);
    } else {
      if (open) block += 1;
      sink.head(first + index, type, value, block, false);
      open = true;
    }
  }
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
