import { inflateRawSync } from 'node:zlib';
import type { Extent } from './extents.ts';
import { malformed, unsupported } from './failure.ts';
import { decodeLz4 } from './lz4.ts';
import { INCOMPAT, type Layout } from './superblock.ts';
import { decodeZstd } from './zstd.ts';

/**
 * Decodes one extent: `encoded` is its whole physical cluster, `target` (as long as the extent) takes the result. Throws `input`
 * when the data is damaged or its algorithm has no decoder here.
 */
export async function decodeExtent(
  layout: Layout,
  extent: Extent,
  encoded: Buffer,
  target: Buffer,
): Promise<void> {
  switch (extent.encoding) {
    case 'shifted':
      encoded.copy(target, 0, 0, target.length);
      return;
    case 'interlaced':
      rotate(layout, extent, encoded, target);
      return;
    case 'lz4': {
      // Without padding in front nothing says where the data ends: it ends when the extent is full.
      const padded = (layout.featureIncompat & INCOMPAT.zeroPadding) !== 0;
      const written = padded
        ? decodeLz4(withoutPadding(encoded), target, extent.partial)
        : decodeLz4(encoded, target, true);
      if (written !== target.length)
        throw malformed(`lz4 data decodes to ${written} bytes instead of ${target.length}`);
      return;
    }
    case 'zstd':
      target.set(await decodeZstd(withoutPadding(encoded), target.length, extent.partial));
      return;
    case 'deflate':
      inflate(extent, encoded, target);
      return;
    case 'lzma':
      throw unsupported('lzma compression');
  }
}

/** Stored data whose every byte keeps its offset within a block: a run that passes the block's end goes on at the block's start. */
function rotate({ blockSize }: Layout, extent: Extent, encoded: Buffer, target: Buffer): void {
  if (encoded.length !== blockSize) throw malformed('an interlaced cluster is not one block');
  const start = extent.start % blockSize;
  const right = Math.min(blockSize - start, target.length);
  encoded.copy(target, 0, start, start + right);
  encoded.copy(target, right, 0, target.length - right);
}

function inflate(extent: Extent, encoded: Buffer, target: Buffer): void {
  if (extent.partial) throw unsupported('deduplicated deflate extents');
  let decoded: Buffer;
  try {
    decoded = inflateRawSync(withoutPadding(encoded), { maxOutputLength: target.length });
  } catch (error) {
    throw malformed('deflate data cannot be decoded', error);
  }
  if (decoded.length !== target.length) {
    throw malformed(`deflate data decodes to ${decoded.length} bytes instead of ${target.length}`);
  }
  decoded.copy(target);
}

/** Compressed data sits at the end of its cluster, behind zeros; none of the formats starts with one. */
function withoutPadding(encoded: Buffer): Buffer {
  let start = 0;
  while (start < encoded.length && encoded[start] === 0) start += 1;
  if (start === encoded.length) throw malformed('a compressed cluster holds only zeros');
  return encoded.subarray(start);
}
