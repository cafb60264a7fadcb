import { isUtf8 } from 'node:buffer';
import { readWhole } from './data.ts';
import { malformed, unsupported } from './failure.ts';
import { type Inode, type Kind, readInode, type Volume } from './inode.ts';
import { MAX_CACHED_NAMES, MAX_DIRECTORY_SIZE, MAX_ENTRIES, MAX_NAME_LENGTH } from './limits.ts';
import { unsigned64 } from './superblock.ts';

/** `struct erofs_dirent`: inode number, offset of the name in the block, file type, a reserved byte. */
const RECORD_SIZE = 12;

/** By `file_type` (EROFS_FT_*); 0 means unknown. */
const FILE_TYPES: readonly (Kind | undefined)[] = [
  undefined,
  'file',
  'folder',
  'device',
  'device',
  'pipe',
  'socket',
  'link',
];

export interface DirectoryEntry {
  readonly nid: number;
  /** What the directory says it is; undefined when it does not say. */
  readonly kind: Kind | undefined;
}

/** A directory's entries by name without `.` and `..`, in the order of the names' bytes. */
export type Directory = ReadonlyMap<string, DirectoryEntry>;

/**
 * Reads a directory. Each block of it starts with its records, and their names follow. Throws `input` for names that are empty, too
 * long, not UTF-8, hold a slash or are not in strictly rising order (so none comes twice), and for records that leave their block.
 */
export async function readDirectory(volume: Volume, inode: Inode): Promise<Directory> {
  if (inode.size > MAX_DIRECTORY_SIZE)
    throw malformed(`directory inode ${inode.nid} has ${inode.size} bytes`);
  const bytes = await readWhole(volume, inode, MAX_DIRECTORY_SIZE);
  const entries = new Map<string, DirectoryEntry>();
  let previous: Buffer | undefined;
  for (let offset = 0; offset < bytes.length; offset += volume.layout.blockSize) {
    for (const { name, entry } of readBlock(
      bytes.subarray(offset, offset + volume.layout.blockSize),
      inode.nid,
    )) {
      if (previous && Buffer.compare(previous, name) >= 0) {
        throw malformed(`the names of directory inode ${inode.nid} are not in order`);
      }
      previous = name;
      if (entries.size >= MAX_ENTRIES) throw malformed(`more than ${MAX_ENTRIES} directory entries`);
      const text = name.toString('utf8');
      if (text !== '.' && text !== '..') entries.set(text, entry);
    }
  }
  return entries;
}

function* readBlock(block: Buffer, nid: number): Generator<{ name: Buffer; entry: DirectoryEntry }> {
  const wrong = (what: string) => malformed(`directory inode ${nid}: ${what}`);
  if (block.length < RECORD_SIZE) throw wrong('a block too short for an entry');
  const namesStart = block.readUInt16LE(8);
  if (namesStart === 0 || namesStart % RECORD_SIZE !== 0 || namesStart > block.length) {
    throw wrong(`names start at ${namesStart}`);
  }
  for (let record = 0; record < namesStart; record += RECORD_SIZE) {
    const start = block.readUInt16LE(record + 8);
    const last = record + RECORD_SIZE === namesStart;
    const next = last ? block.length : block.readUInt16LE(record + RECORD_SIZE + 8);
    if (start < namesStart || next <= start || next > block.length) throw wrong('a name outside its block');
    let name = block.subarray(start, next);
    // Only the last name of a block ends by a zero byte, or by the end of the block.
    const zero = name.indexOf(0);
    if (zero >= 0 && !last) throw wrong('a name with a zero byte');
    if (zero >= 0) name = name.subarray(0, zero);
    if (name.length === 0 || name.length > MAX_NAME_LENGTH) throw wrong(`a name of ${name.length} bytes`);
    if (name.includes(0x2f)) throw wrong('a name with a slash');
    if (!isUtf8(name))
      throw unsupported(`a file name that is not UTF-8 (${JSON.stringify(name.toString('latin1'))})`);
    const type = block.readUInt8(record + 10);
    if (type >= FILE_TYPES.length) throw wrong(`file type ${type}`);
    yield { name, entry: { nid: unsigned64(block, record), kind: FILE_TYPES[type] } };
  }
}

/** The inode of a directory entry; both must agree on what it is. */
export async function readEntryInode(volume: Volume, entry: DirectoryEntry): Promise<Inode> {
  const inode = await readInode(volume, entry.nid);
  if (entry.kind !== undefined && inode.kind !== entry.kind) {
    throw malformed(`inode ${inode.nid} is a ${inode.kind}, its directory says ${entry.kind}`);
  }
  return inode;
}

/** `readDirectory` that remembers what it read last, for lookups; `limits.ts` bounds the names kept. */
export function directoryCache(): (volume: Volume, inode: Inode) => Promise<Directory> {
  const kept = new Map<number, Directory>();
  let names = 0;
  return async (volume, inode) => {
    const known = kept.get(inode.nid);
    if (known) return known;
    const directory = await readDirectory(volume, inode);
    for (const [nid, old] of kept) {
      if (names + directory.size <= MAX_CACHED_NAMES) break;
      kept.delete(nid);
      names -= old.size;
    }
    if (directory.size <= MAX_CACHED_NAMES && !kept.has(inode.nid)) {
      kept.set(inode.nid, directory);
      names += directory.size;
    }
    return directory;
  };
}
