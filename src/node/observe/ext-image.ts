/**
 * Reads ext2, ext3 and ext4 without mounting them: the operating system's images are such file systems, and the slot that is not
 * booted is mounted nowhere. Offsets are those of https://docs.kernel.org/filesystems/ext4/ (superblock, group descriptors, inodes,
 * extents, directory entries).
 */

/** Bytes of the image; fewer than asked for at its end. */
export type ReadAt = (offset: number, length: number) => Uint8Array | undefined;

export interface ExtImage {
  /** File system UUID as blkid prints it. */
  readonly uuid: string;
  /** Content of a regular file, or undefined: no such file, not regular, larger than 64 KiB, or a layout that is not known here. */
  readFile(path: string): Uint8Array | undefined;
}

const MAGIC = 0xef53;
const ROOT_INODE = 2;
const INCOMPAT_META_BG = 0x10;
const INCOMPAT_64BIT = 0x80;
const EXTENTS_FLAG = 0x80000;
const INLINE_FLAG = 0x10000000;
const MOST_BYTES = 64 * 1024;
const MOST_FOLDER_BYTES = 1024 * 1024;

/** Undefined for what is no such file system. */
export function openExtImage(readAt: ReadAt): ExtImage | undefined {
  const bytes = readAt(1024, 1024);
  if (bytes === undefined || bytes.length < 1024) return undefined;
  const superblock = view(bytes);
  if (superblock.getUint16(0x38, true) !== MAGIC) return undefined;
  const blockSize = 1024 << superblock.getUint32(0x18, true);
  const incompat = superblock.getUint32(0x60, true);
  const wide = (incompat & INCOMPAT_64BIT) !== 0;
  const layout: Layout = {
    readAt,
    blockSize,
    firstDataBlock: superblock.getUint32(0x14, true),
    inodesPerGroup: superblock.getUint32(0x28, true),
    inodeSize: superblock.getUint32(0x4c, true) === 0 ? 128 : superblock.getUint16(0x58, true),
    descriptorSize: wide ? superblock.getUint16(0xfe, true) : 32,
  };
  const readable = blockSize <= 65536 && layout.inodesPerGroup > 0 && (incompat & INCOMPAT_META_BG) === 0;
  return {
    uuid: uuidText(bytes.subarray(0x68, 0x78)),
    readFile: (path) => (readable ? readFile(layout, path) : undefined),
  };
}

interface Layout {
  readonly readAt: ReadAt;
  readonly blockSize: number;
  readonly firstDataBlock: number;
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function uuidText(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Exactly `length` bytes, or undefined: what a wrong offset leads to is not guessed at. */
function exactly({ readAt }: Layout, offset: number, length: number): DataView | undefined {
  const bytes = readAt(offset, length);
  return bytes?.length === length ? view(bytes) : undefined;
}

function readFile(layout: Layout, path: string): Uint8Array | undefined {
  let inode = readInode(layout, ROOT_INODE);
  for (const name of path.split('/').filter((part) => part !== '')) {
    const folder = inode && typeOf(inode) === 0x4000 ? content(layout, inode, MOST_FOLDER_BYTES) : undefined;
    const number = folder && entryInode(folder, name);
    inode = number ? readInode(layout, number) : undefined;
  }
  return inode && typeOf(inode) === 0x8000 ? content(layout, inode, MOST_BYTES) : undefined;
}

function typeOf(inode: DataView): number {
  return inode.getUint16(0, true) & 0xf000;
}

function readInode(layout: Layout, number: number): DataView | undefined {
  const group = Math.floor((number - 1) / layout.inodesPerGroup);
  const table = (layout.firstDataBlock + 1) * layout.blockSize + group * layout.descriptorSize;
  const descriptor = exactly(layout, table, layout.descriptorSize);
  if (!descriptor) return undefined;
  const high = layout.descriptorSize >= 64 ? descriptor.getUint32(0x28, true) : 0;
  const block = high * 2 ** 32 + descriptor.getUint32(0x8, true);
  const index = (number - 1) % layout.inodesPerGroup;
  return exactly(layout, block * layout.blockSize + index * layout.inodeSize, 128);
}

/** Inode of a name in a folder; hashed folders are readable as a list too. */
function entryInode(folder: Uint8Array, name: string): number | undefined {
  const entries = view(folder);
  for (let at = 0; at + 8 <= folder.length; ) {
    const length = entries.getUint16(at + 4, true);
    if (length < 8) return undefined;
    const bytes = folder.subarray(at + 8, at + 8 + entries.getUint8(at + 6));
    const inode = entries.getUint32(at, true);
    if (inode !== 0 && String.fromCharCode(...bytes) === name) return inode;
    at += length;
  }
  return undefined;
}

function content(layout: Layout, inode: DataView, most: number): Uint8Array | undefined {
  const size = inode.getUint32(4, true);
  const flags = inode.getUint32(0x20, true);
  if (size > most || (flags & INLINE_FLAG) !== 0) return undefined;
  const all = new Uint8Array(size);
  for (let at = 0, index = 0; at < size; at += layout.blockSize, index++) {
    const block = (flags & EXTENTS_FLAG) === 0 ? mapped(layout, inode, index) : extent(layout, inode, index);
    if (block === undefined) return undefined;
    if (block === 0) continue; // A hole.
    const bytes = exactly(layout, block * layout.blockSize, Math.min(layout.blockSize, size - at));
    if (!bytes) return undefined;
    all.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), at);
  }
  return all;
}

/** Block of a file with a classic map: 12 direct ones and one block of more. */
function mapped(layout: Layout, inode: DataView, index: number): number | undefined {
  if (index < 12) return inode.getUint32(0x28 + 4 * index, true);
  const indirect = inode.getUint32(0x28 + 48, true);
  if (index - 12 >= layout.blockSize / 4 || indirect === 0) return undefined;
  return exactly(layout, indirect * layout.blockSize + 4 * (index - 12), 4)?.getUint32(0, true);
}

/** Block of a file with an extent tree. */
function extent(layout: Layout, inode: DataView, index: number): number | undefined {
  let node: DataView | undefined = new DataView(inode.buffer, inode.byteOffset + 0x28, 60);
  for (let level = 0; node && level < 6; level++) {
    const entries = node.getUint16(2, true);
    if (node.getUint16(0, true) !== 0xf30a || 12 + 12 * entries > node.byteLength) return undefined;
    const leaf = node.getUint16(6, true) === 0;
    let found = -1;
    for (let entry = 0; entry < entries && node.getUint32(12 + 12 * entry, true) <= index; entry++) {
      found = 12 + 12 * entry;
    }
    if (found < 0) return 0;
    if (leaf) {
      const offset = index - node.getUint32(found, true);
      const length = node.getUint16(found + 4, true);
      // Longer than 32768: allocated and never written.
      if (offset >= length || length > 32768) return 0;
      return node.getUint16(found + 6, true) * 2 ** 32 + node.getUint32(found + 8, true) + offset;
    }
    const child = node.getUint16(found + 8, true) * 2 ** 32 + node.getUint32(found + 4, true);
    node = exactly(layout, child * layout.blockSize, layout.blockSize);
  }
  return undefined;
}
