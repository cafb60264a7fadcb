import { malformed } from './failure.ts';
import { DATA_LAYOUT, type Inode, type Volume } from './inode.ts';
import { type IndexHeader, LCLUSTER, type RecordSink, readIndexHeader, readRecords } from './lclusters.ts';
import { MAX_DECODED_EXTENT, MAX_ENCODED_EXTENT } from './limits.ts';
import { ALGORITHMS } from './superblock.ts';

/** How an extent is stored: as it is, as it is but rotated within its block, or compressed. */
export type Encoding = 'shifted' | 'interlaced' | (typeof ALGORITHMS)[number];

/** A run of a compressed file that is decoded as a whole. */
export interface Extent {
  /** First byte in the file, and number of bytes. */
  readonly start: number;
  readonly length: number;
  readonly encoding: Encoding;
  /** Where the encoded bytes are in the file system. */
  readonly offset: number;
  readonly encodedLength: number;
  /** The cluster decodes to more than this extent (deduplication). */
  readonly partial: boolean;
  /** Set when the bytes are in the packed inode, from this offset on; the fields about encoding then mean nothing. */
  readonly fragmentOffset?: number;
}

interface OpenHead {
  readonly cluster: number;
  readonly start: number;
  readonly type: number;
  readonly block: number;
  readonly partial: boolean;
  blocks: number | undefined;
}

/** The extents of a compressed file, in order and without gaps, some at a time. Throws `input` when the index makes no sense. */
export async function* readExtents(volume: Volume, inode: Inode): AsyncGenerator<readonly Extent[]> {
  if (inode.size === 0) return;
  const header = await readIndexHeader(volume, inode);
  if (header.fragment?.whole) {
    yield [{ ...UNENCODED, start: 0, length: inode.size, fragmentOffset: header.fragment.offset }];
    return;
  }
  const builder = extentBuilder(volume, header);
  for await (const _ of readRecords(volume, header, builder)) yield builder.take();
  builder.finish();
  yield builder.take();
}

const UNENCODED = { encoding: 'shifted', offset: 0, encodedLength: 0, partial: false } as const;

function extentBuilder({ layout, device }: Volume, header: IndexHeader) {
  const { inode } = header;
  const { blockSize } = layout;
  let ready: Extent[] = [];
  let head: OpenHead | undefined;
  const wrong = (what: string) => malformed(`index of inode ${inode.nid}: ${what}`);

  const encodingOf = (type: number): Encoding => {
    if (type === LCLUSTER.plain) return header.interlaced ? 'interlaced' : 'shifted';
    const algorithm = header.algorithms[type === LCLUSTER.head1 ? 0 : 1];
    if (!(layout.algorithms & (1 << algorithm)))
      throw wrong(`algorithm ${algorithm} is not in the superblock`);
    return ALGORITHMS[algorithm] as Encoding;
  };

  const close = (from: OpenHead, end: number): Extent => {
    const { start, type, block, partial } = from;
    const length = end - start;
    if (length <= 0) throw wrong('an extent without bytes');
    if (end === inode.size && header.fragment) {
      // 8-byte records have the upper half of the offset in the address.
      const upper = inode.dataLayout === DATA_LAYOUT.compressedFull ? block : 0;
      return { ...UNENCODED, start, length, fragmentOffset: header.fragment.offset + upper * 0x1_0000_0000 };
    }
    const inline = end === inode.size && header.inlineTailSize > 0;
    const extent = {
      start,
      length,
      encoding: encodingOf(type),
      offset: inline ? header.end : block * blockSize,
      encodedLength: inline ? header.inlineTailSize : (from.blocks ?? 1) * blockSize,
      partial,
    };
    // Only a fragment takes no blocks.
    if (extent.encodedLength === 0) throw wrong('an extent without blocks');
    if (extent.encodedLength > MAX_ENCODED_EXTENT || length > MAX_DECODED_EXTENT) {
      throw wrong(`an extent of ${length} bytes in ${extent.encodedLength}`);
    }
    if (extent.offset + extent.encodedLength > device.size)
      throw wrong('an extent lies outside the file system');
    if (type === LCLUSTER.plain && length > extent.encodedLength)
      throw wrong('stored data is shorter than its extent');
    return extent;
  };

  const sink: RecordSink = {
    head(cluster, type, offset, block, partial) {
      if (offset >= blockSize) throw wrong('an extent starts outside its cluster');
      const start = cluster * blockSize + offset;
      if (head) ready.push(close(head, Math.min(start, inode.size)));
      else if (start !== 0) throw wrong('the first extent does not start at 0');
      // mkfs.erofs ends some indexes with a record that starts where the file ends.
      head = start < inode.size ? { cluster, start, type, block, partial, blocks: undefined } : ENDED;
    },
    nonhead(cluster, blocks) {
      if (!head || head === ENDED) throw wrong('a cluster that belongs to no extent');
      if (blocks === undefined) {
        const big = head.type === LCLUSTER.head1 ? header.bigCluster1 : header.bigCluster2;
        if (big && cluster === head.cluster + 1) throw wrong('the number of blocks is missing');
        return;
      }
      if (cluster !== head.cluster + 1) throw wrong('a number of blocks where none can be');
      head.blocks = blocks;
    },
  };
  return {
    ...sink,
    take(): readonly Extent[] {
      const taken = ready;
      ready = [];
      return taken;
    },
    finish() {
      if (head && head !== ENDED) ready.push(close(head, inode.size));
    },
  };
}

/** Stands for "the file's end was reached". */
const ENDED: OpenHead = {
  cluster: -1,
  start: 0,
  type: LCLUSTER.plain,
  block: 0,
  partial: false,
  blocks: undefined,
};
