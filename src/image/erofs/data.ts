import { decodeExtent } from './decompress.ts';
import { type Extent, readExtents } from './extents.ts';
import { malformed, unsupported } from './failure.ts';
import { DATA_LAYOUT, type Inode, readInode, type Volume } from './inode.ts';
import { roundUp } from './lclusters.ts';
import { PIECE_SIZE } from './limits.ts';

/** A block address with every bit set is a hole. */
const HOLE = 0xffffffff;
const CHUNK_BITS_MASK = 0x1f;
const CHUNK_INDEXES = 0x20;
/** No chunk of an existing tool is larger (mkfs.erofs --chunksize takes up to 2^31). */
const MAX_CHUNK_BITS = 40;

/**
 * The bytes from `start` to `end` of what an inode holds (file, directory entries, link target), in pieces of about a mebibyte. Memory
 * stays at one piece and one extent. Throws `input` when the image is malformed or uses an unsupported feature.
 */
export async function* readData(
  volume: Volume,
  inode: Inode,
  start = 0,
  end = inode.size,
): AsyncGenerator<Buffer> {
  if (start >= end) return;
  switch (inode.dataLayout) {
    case DATA_LAYOUT.plain:
    case DATA_LAYOUT.inline:
      yield* readFlat(volume, inode, start, end);
      return;
    case DATA_LAYOUT.chunked:
      yield* readChunks(volume, inode, start, end);
      return;
    default:
      yield* readCompressed(volume, inode, start, end);
  }
}

/** All that an inode holds, at most `limit` bytes (checked by the caller's own words first). */
export async function readWhole(volume: Volume, inode: Inode, limit: number): Promise<Buffer> {
  if (inode.size > limit) throw malformed(`inode ${inode.nid} holds ${inode.size} bytes, more than ${limit}`);
  const pieces: Buffer[] = [];
  for await (const piece of readData(volume, inode)) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

/** Blocks in a row; with the inline layout the last, partial block sits behind the inode. */
async function* readFlat(volume: Volume, inode: Inode, start: number, end: number): AsyncGenerator<Buffer> {
  const { device, layout } = volume;
  const { blockSize } = layout;
  const what = `data of inode ${inode.nid}`;
  const inline = inode.dataLayout === DATA_LAYOUT.inline;
  const inBlocks = inline ? Math.floor((inode.size - 1) / blockSize) * blockSize : inode.size;
  if (!inline && inode.union === HOLE) {
    yield* zeros(end - start);
    return;
  }
  const base = inode.union * blockSize;
  if (inBlocks > 0 && base + inBlocks > device.size)
    throw malformed(`${what} ends past the end of the file system`);
  const tail = inode.size - inBlocks;
  if (inline && (inode.bodyOffset % blockSize) + tail > blockSize)
    throw malformed(`inline ${what} crosses a block`);
  for (let at = start; at < Math.min(end, inBlocks); ) {
    const length = Math.min(PIECE_SIZE, Math.min(end, inBlocks) - at);
    yield await device.data(base + at, length, what);
    at += length;
  }
  const from = Math.max(start, inBlocks);
  if (from < end) {
    const bytes = await device.metadata(inode.bodyOffset + from - inBlocks, end - from, `inline ${what}`);
    yield Buffer.from(bytes); // A copy: the cache's bytes are not the caller's to change.
  }
}

/** Chunks of equal size anywhere on the device, holes among them; 4-byte block addresses or 8-byte indexes follow the inode. */
async function* readChunks(volume: Volume, inode: Inode, start: number, end: number): AsyncGenerator<Buffer> {
  const { device, layout } = volume;
  const what = `data of inode ${inode.nid}`;
  const format = inode.union & 0xffff;
  if (format & ~(CHUNK_BITS_MASK | CHUNK_INDEXES)) throw unsupported(`chunk format 0x${format.toString(16)}`);
  const chunkBits = layout.blockBits + (format & CHUNK_BITS_MASK);
  if (chunkBits > MAX_CHUNK_BITS) throw malformed(`${what} has chunks of 2^${chunkBits} bytes`);
  const chunkSize = 2 ** chunkBits;
  const indexed = (format & CHUNK_INDEXES) !== 0;
  const unit = indexed ? 8 : 4;
  const table = roundUp(inode.bodyOffset, unit);
  if (table + Math.ceil(inode.size / chunkSize) * unit > device.size) {
    throw malformed(`${what} has more chunks than the file system can list`);
  }
  for (let at = start; at < end; ) {
    const chunk = Math.floor(at / chunkSize);
    const record = await device.metadata(table + chunk * unit, unit, `chunks of inode ${inode.nid}`);
    if (indexed && record.readUInt16LE(2) !== 0) throw unsupported('chunks on another device');
    const block = record.readUInt32LE(unit - 4);
    const stop = Math.min(end, (chunk + 1) * chunkSize);
    if (block === HOLE) {
      yield* zeros(stop - at);
      at = stop;
    }
    while (at < stop) {
      const length = Math.min(PIECE_SIZE, stop - at);
      yield await device.data(block * layout.blockSize + at - chunk * chunkSize, length, what);
      at += length;
    }
  }
}

function* zeros(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= PIECE_SIZE) yield Buffer.alloc(Math.min(PIECE_SIZE, left));
}

/** Extents next to each other are read together, decoded into one piece, and cut to what was asked for. */
async function* readCompressed(
  volume: Volume,
  inode: Inode,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  let batch: Extent[] = [];
  const flush = async function* (): AsyncGenerator<Buffer> {
    const first = batch[0];
    if (!first) return;
    const decoded = await decodeBatch(volume, inode, batch);
    const last = first.start + decoded.length;
    batch = [];
    yield decoded.subarray(Math.max(start, first.start) - first.start, Math.min(end, last) - first.start);
  };
  for await (const extents of readExtents(volume, inode)) {
    for (const extent of extents) {
      if (extent.start >= end) break;
      if (extent.start + extent.length <= start) continue;
      if (extent.fragmentOffset !== undefined) {
        yield* flush();
        yield* readFragment(volume, inode, extent, extent.fragmentOffset, start, end);
      } else {
        if (!fits(batch, extent)) yield* flush();
        batch.push(extent);
      }
    }
    if ((extents.at(-1)?.start ?? 0) >= end) break;
  }
  yield* flush();
}

function fits(batch: readonly Extent[], next: Extent): boolean {
  const first = batch[0];
  const last = batch.at(-1);
  if (!first || !last) return true;
  return (
    last.offset + last.encodedLength === next.offset &&
    next.offset + next.encodedLength - first.offset <= PIECE_SIZE &&
    next.start + next.length - first.start <= PIECE_SIZE
  );
}

async function decodeBatch(volume: Volume, inode: Inode, batch: readonly Extent[]): Promise<Buffer> {
  const first = batch[0] as Extent;
  const last = batch.at(-1) as Extent;
  const what = `data of inode ${inode.nid}`;
  const encoded = await volume.device.data(
    first.offset,
    last.offset + last.encodedLength - first.offset,
    what,
  );
  volume.device.spend(last.start + last.length - first.start);
  // Every byte is written below, or decoding fails.
  const decoded = Buffer.allocUnsafe(last.start + last.length - first.start);
  for (const extent of batch) {
    const from = extent.offset - first.offset;
    const to = extent.start - first.start;
    await decodeExtent(
      volume.layout,
      extent,
      encoded.subarray(from, from + extent.encodedLength),
      decoded.subarray(to, to + extent.length),
    );
  }
  return decoded;
}

/** Tails of several files share the packed inode; its own tail is never a fragment again. */
async function* readFragment(
  volume: Volume,
  inode: Inode,
  extent: Extent,
  offset: number,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  const { packedNid } = volume.layout;
  if (packedNid === 0 || inode.nid === packedNid)
    throw malformed(`inode ${inode.nid} has a fragment of nothing`);
  const packed = await readInode(volume, packedNid);
  const from = offset + Math.max(start, extent.start) - extent.start;
  const to = offset + Math.min(end, extent.start + extent.length) - extent.start;
  if (packed.kind !== 'file' || to > packed.size) {
    throw malformed(`inode ${inode.nid} has a fragment outside the packed inode`);
  }
  yield* readData(volume, packed, from, to);
}
