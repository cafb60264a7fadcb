import { malformed, unsupported } from './failure.ts';
import { MAX_DECODED_EXTENT } from './limits.ts';

const MAGIC = 0xfd2fb528;

interface Decoder {
  decode(frame: Uint8Array, decodedSize: number): Uint8Array;
}
let decoder: Promise<Decoder> | undefined;

/**
 * Loads the Zstandard decoder on first use. node:zlib has one from Node 22.15 on only; zstddec is the reference library compiled to
 * WebAssembly, so that what a hostile frame can reach ends at the module's own memory.
 */
function loadZstd(): Promise<Decoder> {
  decoder ??= (async () => {
    const { ZSTDDecoder } = await import('zstddec');
    const loaded = new ZSTDDecoder();
    await loaded.init();
    return loaded;
  })();
  return decoder;
}

/**
 * Decodes one Zstandard frame (RFC 8878) of exactly `length` bytes, or with `partial` the first `length` bytes of a larger one.
 * Throws `input` for a frame that is damaged, of another size, or (partial) does not say its size.
 */
export async function decodeZstd(frame: Uint8Array, length: number, partial: boolean): Promise<Uint8Array> {
  const whole = partial ? contentSize(frame) : length;
  if (whole < length || whole > MAX_DECODED_EXTENT)
    throw malformed(`a zstd frame of ${whole} bytes for ${length}`);
  const zstd = await loadZstd();
  let decoded: Uint8Array;
  try {
    decoded = zstd.decode(frame, whole);
  } catch (error) {
    throw malformed('zstd data cannot be decoded', error);
  }
  // The library's error codes come back as a length that is never the right one.
  if (decoded.length !== whole) throw malformed('zstd data cannot be decoded');
  return decoded.subarray(0, length);
}

/** Frame_Content_Size of the frame header (RFC 8878 section 3.1.1.1). */
function contentSize(frame: Uint8Array): number {
  // The longest header has 18 bytes; a frame may be shorter than that.
  const view = Buffer.concat([frame.subarray(0, 18), Buffer.alloc(18)]);
  if (view.readUInt32LE(0) !== MAGIC) throw malformed('no zstd frame where one should be');
  const descriptor = view.readUInt8(4);
  const singleSegment = (descriptor >> 5) & 1;
  const offset = 5 + (1 - singleSegment) + ([0, 1, 2, 4][descriptor & 3] as number);
  switch (descriptor >> 6) {
    case 1:
      return view.readUInt16LE(offset) + 256;
    case 2:
      return view.readUInt32LE(offset);
    case 3:
      return Number(view.readBigUInt64LE(offset));
    default:
      if (singleSegment) return view.readUInt8(offset);
      throw unsupported('deduplicated zstd extents without a content size');
  }
}
