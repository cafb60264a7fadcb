import { SextantError } from '../../support/errors.ts';
import { readWhole } from './data.ts';
import { metered } from './device.ts';
import { directoryCache, readEntryInode } from './directory.ts';
import { malformed } from './failure.ts';
import { type Inode, readInode, type Volume } from './inode.ts';
import { MAX_LINKS_FOLLOWED, MAX_PATH_LENGTH, MAX_WORK } from './limits.ts';

/** Where a path led: its absolute path without links, and the inode. */
export interface Found {
  readonly path: string;
  readonly inode: Inode;
}

export type Lookup = (path: string, followLast: boolean) => Promise<Found | undefined>;

/** Target of a symbolic link, at most MAX_PATH_LENGTH bytes. Throws `input` for a target that cannot be. */
export async function readLink(volume: Volume, inode: Inode): Promise<string> {
  if (inode.size === 0 || inode.size >= MAX_PATH_LENGTH)
    throw malformed(`a link target of ${inode.size} bytes`);
  const bytes = await readWhole(volume, inode, MAX_PATH_LENGTH);
  if (bytes.includes(0)) throw malformed('a link target with a zero byte');
  return bytes.toString('utf8');
}

/**
 * Path resolution inside the file system, as path_resolution(7) does in a root of its own: `..` of the root is the root, links in the
 * middle are followed, the last one if asked. Undefined when a part is missing or not a folder; `input` for a loop of links.
 */
export function openLookup({ device, layout }: Volume): Lookup {
  const directoryOf = directoryCache();
  return async (path, followLast) => {
    const volume = { device: metered(device, MAX_WORK), layout };
    let links = 0;
    const todo = split(path).reverse();
    const trail: { name: string; inode: Inode }[] = [];
    const root = await readInode(volume, volume.layout.rootNid);
    const pathOf = (...more: string[]) => `/${[...trail.map((step) => step.name), ...more].join('/')}`;
    while (true) {
      const name = todo.pop();
      const here = trail.at(-1)?.inode ?? root;
      if (name === undefined) return { path: pathOf(), inode: here };
      if (here.kind !== 'folder') return undefined;
      if (name === '..') {
        trail.pop();
        continue;
      }
      const entry = (await directoryOf(volume, here)).get(name);
      if (!entry) return undefined;
      const inode = await readEntryInode(volume, entry);
      if (inode.kind === 'link' && (followLast || todo.length > 0)) {
        links += 1;
        if (links > MAX_LINKS_FOLLOWED) {
          throw new SextantError(
            'input',
            `${path}: too many symbolic links in the image (${MAX_LINKS_FOLLOWED} followed)`,
            {
              hint: 'the links may form a loop; look at them with `sextant inspect`',
            },
          );
        }
        const target = await readLink(volume, inode);
        if (target.startsWith('/')) trail.length = 0;
        todo.push(...split(target).reverse());
        continue;
      }
      trail.push({ name, inode });
      if (trail.length > MAX_PATH_LENGTH) throw malformed('a path with too many parts');
    }
  };
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
