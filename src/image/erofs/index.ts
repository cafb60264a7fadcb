/**
 * A read-only reader of erofs (Linux Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h): lists and reads the files of an image
 * that nobody has to mount, on any system. The bytes are untrusted: whatever they are, an operation ends soon with a result or an
 * `input` SextantError, inside the bounds of limits.ts. It reads what mkfs.erofs 1.8 makes: no compression, lz4, lz4hc, zstd and
 * deflate, inline tails, big clusters, tail packing, fragments, deduplication and chunks on one device. lzma, more devices, 48-bit
 * addresses, metadata compression and deflate with deduplication are errors that name the feature.
 */
import { SextantError } from '../../support/errors.ts';
import { readData, readWhole } from './data.ts';
import { metered, openDevice, type ReadAt } from './device.ts';
import { at, withPath } from './failure.ts';
import type { Kind, Volume } from './inode.ts';
import { DEFAULT_READ_LIMIT, MAX_WORK } from './limits.ts';
import { walk } from './list.ts';
import { type Found, openLookup, readLink } from './lookup.ts';
import { ALGORITHMS, readSuperblock } from './superblock.ts';

export type { ReadAt } from './device.ts';
export type ErofsKind = Kind;

export interface ErofsEntry {
  /** Absolute; `/` is the root. */
  readonly path: string;
  readonly kind: ErofsKind;
  /** 12 bits: permissions, set-id and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; of a link its target's length. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly nlink: number;
  /** Number of the inode: entries with the same number are hard links of one file. */
  readonly inode: number;
  /** Of a link, as stored. */
  readonly target?: string;
}

export interface ErofsSuperblock {
  readonly uuid: string;
  /** Bytes. */
  readonly blockSize: number;
  /** Seconds since 1970. */
  readonly buildTime: number;
  readonly inodes: number;
  /** Algorithms that files may use: "lz4" (lz4hc too), "lzma", "deflate", "zstd"; empty when nothing is compressed. */
  readonly compression: readonly string[];
  readonly label: string;
}

export interface Erofs {
  readonly superblock: ErofsSuperblock;
  /** Every entry: the root first, a folder before what is in it, siblings in the order of their names' bytes. */
  list(): AsyncIterable<ErofsEntry>;
  /** The entry at an absolute path, or undefined. Links in the middle are followed inside the image, a last one is not. */
  stat(path: string): Promise<ErofsEntry | undefined>;
  /** A file's content; links are followed. `input` when it is missing, no file, or larger than `limit` bytes (16 MiB). */
  read(path: string, options?: { readonly limit?: number }): Promise<Buffer>;
  /** A file's content in pieces, in flat memory; links are followed, errors as for `read`. */
  stream(path: string): AsyncIterable<Buffer>;
}

/**
 * Opens the erofs in `size` bytes that `read` gives, and checks its superblock. Throws `input` when there is none, when its checksum
 * is wrong, when it is truncated or needs a feature that this reader lacks. Nothing has to be closed.
 */
export async function openErofs(read: ReadAt, size: number): Promise<Erofs> {
  const device = openDevice(read, size);
  const layout = await readSuperblock(device);
  const volume: Volume = { device, layout };
  const lookup = openLookup(volume);
  const bounded = (more = 0): Volume => ({ device: metered(device, MAX_WORK + more), layout });
  return {
    superblock: {
      uuid: layout.uuid,
      blockSize: layout.blockSize,
      buildTime: layout.buildTime,
      inodes: layout.inodes,
      compression: ALGORITHMS.filter((_, bit) => layout.algorithms & (1 << bit)),
      label: layout.label,
    },
    async *list() {
      const once = bounded();
      for await (const found of walk(once)) yield await entryOf(once, found);
    },
    stat: (path) =>
      at(path, async () => {
        const found = await lookup(path, false);
        return found && entryOf(bounded(), found);
      }),
    async read(path, { limit = DEFAULT_READ_LIMIT } = {}) {
      const { inode } = await fileAt(lookup, path);
      if (inode.size > limit) {
        throw new SextantError(
          'input',
          `${path}: ${inode.size} bytes in the image, more than the ${limit} expected`,
          {
            hint: 'the file is not what it should be; look at the image with `sextant inspect`',
          },
        );
      }
      return at(path, () => readWhole(bounded(limit), inode, limit));
    },
    async *stream(path) {
      const { inode } = await fileAt(lookup, path);
      try {
        yield* readData(volume, inode);
      } catch (error) {
        throw withPath(path, error);
      }
    },
  };
}

async function fileAt(lookup: ReturnType<typeof openLookup>, path: string): Promise<Found> {
  const found = await at(path, () => lookup(path, true));
  if (found?.inode.kind === 'file') return found;
  throw new SextantError(
    'input',
    `${path}: ${found ? `a ${found.inode.kind}, not a file` : 'no such file in the image'}`,
    {
      hint: 'list what the image holds with `sextant inspect`',
    },
  );
}

async function entryOf(volume: Volume, { path, inode }: Found): Promise<ErofsEntry> {
  const { kind, mode, uid, gid, size, mtime, nlink, nid } = inode;
  const entry = { path, kind, mode, uid, gid, size, mtime, nlink, inode: nid };
  if (kind !== 'link') return entry;
  return at(path, async () => ({ ...entry, target: await readLink(volume, inode) }));
}
