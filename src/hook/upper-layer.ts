import type { Stats } from 'node:fs';
import { chmod, lchown, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Paths of `root` that are no longer in `merged`, the overlay of `upper` over it: absolute, sorted. Compared through the overlay itself,
 * so that white-outs and opaque folders count, however the kernel marks them (Documentation/filesystems/overlayfs.rst).
 */
export async function removedPaths(upper: string, root: string, merged: string): Promise<string[]> {
  const removed: string[] = [];
  const visit = async (path: string): Promise<void> => {
    const here = await lstat(join(upper, path));
    if (isWhiteout(here)) return; // Its folder has listed it.
    const below = await lstat(join(root, path)).catch(() => undefined);
    if (below?.isDirectory()) {
      for (const name of await readdir(join(root, path))) {
        if (here.isDirectory() && (await exists(join(merged, path, name)))) continue;
        removed.push(`${path}/${name}`);
      }
    }
    if (!here.isDirectory()) return;
    for (const name of await readdir(join(upper, path))) await visit(`${path}/${name}`);
  };
  await visit('');
  return removed.sort();
}

/** Takes white-outs (character devices 0:0) out of an upper layer, and gives everything to root without losing mode bits. */
export async function plainUpper(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const stat = await lstat(path);
    if (isWhiteout(stat)) {
      await rm(path);
      continue;
    }
    if (stat.isDirectory()) await plainUpper(path);
    if (stat.uid === 0 && stat.gid === 0) continue;
    await lchown(path, 0, 0);
    // A change of owner clears the set-uid bit, and that the hook set one must not get lost.
    if (stat.isFile() && (stat.mode & 0o6000) !== 0) await chmod(path, stat.mode & 0o7777);
  }
}

/**
 * Removes a folder that an overlay worked in: its own work folder has mode 0, and a hook may have left folders that their owner cannot
 * read. Does nothing where it is already gone.
 */
export async function removeFolder(folder: string): Promise<void> {
  const open = async (path: string): Promise<void> => {
    const stat = await lstat(path);
    if (!stat.isDirectory()) return;
    if ((stat.mode & 0o700) !== 0o700) await chmod(path, 0o700);
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isDirectory()) await open(join(path, entry.name));
    }
  };
  if (!(await exists(folder))) return;
  await open(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
