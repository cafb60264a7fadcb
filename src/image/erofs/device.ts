import { SextantError } from '../../support/errors.ts';
import { malformed } from './failure.ts';
import { CACHE_PIECE_SIZE, CACHE_PIECES } from './limits.ts';

/** Bytes of the file system from `offset` (relative to its start); fewer than `length` bytes are an error of the caller's source. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>;

/** The bytes that hold the file system: nothing outside 0..size is ever asked for. */
export interface Device {
  /** Bytes. */
  readonly size: number;
  /** File data; `what` names it in errors. */
  data(offset: number, length: number, what: string): Promise<Buffer>;
  /** Small pieces of metadata, through a cache of fixed size. The result must not be written to. */
  metadata(offset: number, length: number, what: string): Promise<Buffer>;
  /** Tells that `bytes` were decoded; a metered device refuses when they become too many. */
  spend(bytes: number): void;
}

/** A bounds-checked device over `read`, with a least-recently-used cache for metadata (limits.ts: 4 MiB). */
export function openDevice(read: ReadAt, size: number): Device {
  const cache = new Map<number, Promise<Buffer>>();

  const inside = (offset: number, length: number, what: string) => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > size) {
      throw malformed(
        `${what} (${length} bytes at ${offset}) lies outside the ${size} bytes of the file system`,
      );
    }
  };

  const exactly = async (offset: number, length: number): Promise<Buffer> => {
    const bytes = await read(offset, length);
    if (bytes.length === length) return bytes;
    throw new SextantError(
      'input',
      `the image ended early: ${length} bytes wanted at ${offset} of the file system, ${bytes.length} came`,
      { hint: 'the file is truncated or changed while it was read: build or download it again' },
    );
  };

  const cached = (piece: number): Promise<Buffer> => {
    let found = cache.get(piece);
    if (found) {
      cache.delete(piece); // Set again below: the order of a Map is the order of use.
    } else {
      const offset = piece * CACHE_PIECE_SIZE;
      found = exactly(offset, Math.min(CACHE_PIECE_SIZE, size - offset));
      found.catch(() => cache.delete(piece));
      if (cache.size >= CACHE_PIECES) cache.delete(cache.keys().next().value as number);
    }
    cache.set(piece, found);
    return found;
  };

  return {
    size,
    spend: () => {},
    async data(offset, length, what) {
      inside(offset, length, what);
      return exactly(offset, length);
    },
    async metadata(offset, length, what) {
      inside(offset, length, what);
      const pieces: Buffer[] = [];
      for (let done = 0; done < length; ) {
        const piece = Math.floor((offset + done) / CACHE_PIECE_SIZE);
        const start = offset + done - piece * CACHE_PIECE_SIZE;
        const part = (await cached(piece)).subarray(start, start + length - done);
        if (part.length === length) return part;
        pieces.push(part);
        done += part.length;
      }
      return Buffer.concat(pieces);
    },
  };
}

/** The same device for one operation: `input` once it has read and decoded more than `budget` bytes. */
export function metered(device: Device, budget: number): Device {
  let left = budget;
  const spend = (bytes: number) => {
    left -= bytes;
    if (left < 0) throw malformed(`more than ${budget} bytes to read and decode for one look`);
  };
  return {
    size: device.size,
    spend,
    async data(offset, length, what) {
      spend(length);
      return device.data(offset, length, what);
    },
    async metadata(offset, length, what) {
      spend(length);
      return device.metadata(offset, length, what);
    },
  };
}
