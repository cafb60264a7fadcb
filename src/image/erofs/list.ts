import { type Directory, readDirectory, readEntryInode } from './directory.ts';
import { malformed, withPath } from './failure.ts';
import { type Inode, readInode, type Volume } from './inode.ts';
import { MAX_DEPTH, MAX_ENTRIES, MAX_PATH_LENGTH, MIN_ENTRY_SIZE } from './limits.ts';
import type { Found } from './lookup.ts';

/**
 * Everything in the file system, the root first, folders before what is in them, siblings in the order of their names' bytes. A folder
 * has one place only: one that appears twice, in itself too, is `input`, as are more entries, or deeper ones, than limits.ts grants.
 */
export async function* walk(volume: Volume): AsyncGenerator<Found> {
  const root = await readInode(volume, volume.layout.rootNid);
  if (root.kind !== 'folder') throw malformed(`the root is a ${root.kind}`);
  const seen = new Set([root.nid]);
  const limit = Math.min(MAX_ENTRIES, Math.ceil(volume.device.size / MIN_ENTRY_SIZE));
  let entries = 0;

  const enter = async (path: string, inode: Inode) => {
    const directory: Directory = await readDirectory(volume, inode);
    entries += directory.size;
    if (entries > limit) throw malformed(`more than ${limit} directory entries`);
    return { path, rest: directory[Symbol.iterator]() };
  };

  yield { path: '/', inode: root };
  let path = '/';
  try {
    const stack = [await enter('', root)];
    while (true) {
      const folder = stack.at(-1);
      if (!folder) return;
      const next = folder.rest.next();
      if (next.done) {
        stack.pop();
        continue;
      }
      const [name, entry] = next.value;
      path = `${folder.path}/${name}`;
      if (Buffer.byteLength(path) > MAX_PATH_LENGTH) throw malformed('a path is too long');
      const inode = await readEntryInode(volume, entry);
      yield { path, inode };
      if (inode.kind !== 'folder') continue;
      if (seen.has(inode.nid)) throw malformed(`folder inode ${inode.nid} is in two places`);
      if (stack.length >= MAX_DEPTH) throw malformed(`folders are more than ${MAX_DEPTH} deep`);
      seen.add(inode.nid);
      stack.push(await enter(path, inode));
    }
  } catch (error) {
    throw withPath(path, error);
  }
}
