import type { Device } from './device.ts';
import { malformed, unsupported } from './failure.ts';
import { MAX_FILE_SIZE } from './limits.ts';
import { type Layout, signed64, unsigned64 } from './superblock.ts';

/** What a directory entry stands for; block and character devices are both `device`. */
export type Kind = 'file' | 'folder' | 'link' | 'device' | 'pipe' | 'socket';

/** An open file system: its bytes and its superblock. */
export interface Volume {
  readonly device: Device;
  readonly layout: Layout;
}

/** `i_format` bits 1 to 3 (EROFS_INODE_*). */
export const DATA_LAYOUT = {
  plain: 0,
  compressedFull: 1,
  inline: 2,
  compressedCompact: 3,
  chunked: 4,
} as const;

export interface Inode {
  readonly nid: number;
  readonly kind: Kind;
  readonly dataLayout: number;
  /** Permission, set-id and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly nlink: number;
  /** First byte after the inode and its extended attributes: inline data or an index starts here. */
  readonly bodyOffset: number;
  /** `i_u`: first block of flat data, or the format of chunks. */
  readonly union: number;
}

/** Inodes are numbered by 32-byte slots. */
const SLOT_SIZE = 32;
const EXTENDED_SIZE = 64;
const XATTR_HEADER_SIZE = 12;

/** By the upper four bits of `i_mode` (inode(7)). */
const KINDS: Readonly<Record<number, Kind>> = {
  1: 'pipe',
  2: 'device',
  4: 'folder',
  6: 'device',
  8: 'file',
  10: 'link',
  12: 'socket',
};

/** Reads inode number `nid`, in its 32-byte or 64-byte form. Throws `input` for a number or content that cannot be. */
export async function readInode({ device, layout }: Volume, nid: number): Promise<Inode> {
  const name = `inode ${nid}`;
  const offset = layout.metadataOffset + nid * SLOT_SIZE;
  const available = Math.min(EXTENDED_SIZE, Math.max(SLOT_SIZE, device.size - offset));
  const bytes = await device.metadata(offset, available, name);
  const format = bytes.readUInt16LE(0);
  if (format & ~0x1f) throw unsupported(`inode format 0x${format.toString(16)} of ${name}`);
  const dataLayout = (format >> 1) & 7;
  if (dataLayout > DATA_LAYOUT.chunked) throw unsupported(`data layout ${dataLayout} of ${name}`);
  const extended = (format & 1) === 1;
  if (extended && bytes.length < EXTENDED_SIZE)
    throw malformed(`${name} ends past the end of the file system`);

  const xattrCount = bytes.readUInt16LE(2);
  const xattrSize = xattrCount === 0 ? 0 : XATTR_HEADER_SIZE + (xattrCount - 1) * 4;
  const mode = bytes.readUInt16LE(4);
  const kind = KINDS[mode >> 12];
  if (kind === undefined) throw malformed(`${name} has the unknown file type 0o${(mode >> 12).toString(8)}`);
  const size = extended ? unsigned64(bytes, 8) : bytes.readUInt32LE(8);
  if (size > MAX_FILE_SIZE) throw malformed(`${name} claims ${size} bytes`);
  const inode = {
    nid,
    kind,
    dataLayout,
    mode: mode & 0o7777,
    size,
    union: bytes.readUInt32LE(16),
    bodyOffset: offset + (extended ? EXTENDED_SIZE : SLOT_SIZE) + xattrSize,
  };
  if (extended) {
    return {
      ...inode,
      uid: bytes.readUInt32LE(24),
      gid: bytes.readUInt32LE(28),
      mtime: signed64(bytes, 32),
      nlink: bytes.readUInt32LE(44),
    };
  }
  return {
    ...inode,
    uid: bytes.readUInt16LE(24),
    gid: bytes.readUInt16LE(26),
    // The offset field is reserved and zero before erofs-utils 1.9: the superblock's time then is the inode's.
    mtime: layout.epoch + bytes.readUInt32LE(12),
    // Bit 4 says that the link count is 1 and that its field holds something else (48-bit addresses).
    nlink: kind !== 'folder' && format & 0x10 ? 1 : bytes.readUInt16LE(6),
  };
}
