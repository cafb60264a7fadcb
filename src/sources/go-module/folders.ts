import { constants } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, fileDigest, sha256 } from '../../support/files.ts';

/** What never enters a build: version control, and what would make Go look elsewhere than in the locked modules. */
const LEFT_OUT = new Set(['.git', '.hg', '.svn']);

const byName = <T extends { name: string }>(a: T, b: T) => (a.name < b.name ? -1 : 1);

/** Copies a folder into `to` (made when missing, files of the same name replaced), everything writable by its owner. */
export async function copyFolder(from: string, to: string, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await mkdir(to, { recursive: true });
  for (const entry of (await readdir(from, { withFileTypes: true })).sort(byName)) {
    if (LEFT_OUT.has(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await copyFolder(source, target, signal);
    } else if (entry.isFile()) {
      await rm(target, { force: true });
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      await chmod(target, (await lstat(source)).mode & 0o100 ? 0o755 : 0o644);
    } else if (entry.isSymbolicLink()) {
      await rm(target, { force: true });
      await symlink(await readlink(source), target);
    }
  }
}

/** SHA-256 that stands for a folder's content: names, links, whether executable, bytes. Of what `copyFolder` copies. */
export async function folderDigest(folder: string, signal?: AbortSignal): Promise<string> {
  const entries: unknown[] = [];
  const walk = async (below: string) => {
    for (const entry of (await readdir(join(folder, below), { withFileTypes: true })).sort(byName)) {
      if (LEFT_OUT.has(entry.name)) continue;
      const name = join(below, entry.name);
      const path = join(folder, name);
      if (entry.isDirectory()) await walk(name);
      else if (entry.isSymbolicLink()) entries.push([name, 'link', await readlink(path)]);
      else if (entry.isFile()) {
        const executable = ((await lstat(path)).mode & 0o100) !== 0;
        entries.push([name, executable, (await fileDigest(path, signal)).sha256]);
      }
    }
  };
  await walk('');
  return sha256(canonicalJson(entries));
}
