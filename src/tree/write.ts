import { chmod, constants, copyFile, link, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { contentDigest } from './content.ts';
import type { Planned } from './plan.ts';
import type { TreeEntry } from './types.ts';
import { byBytes } from './walk.ts';

/** Planned paths with the folders above them, sorted: a folder belongs to the component of what first needs it. */
export function withFolders(planned: readonly Planned[]): Planned[] {
  const all = new Map(planned.map((entry) => [entry.path, entry]));
  // What sextant adds comes last, so that a folder it shares with a component is the component's.
  const ordered = [...planned].sort(
    (a, b) =>
      Number(a.disposition === 'added') - Number(b.disposition === 'added') || byBytes(a.path, b.path),
  );
  for (const entry of ordered) {
    for (let folder = posix.dirname(entry.path); folder !== '/'; folder = posix.dirname(folder)) {
      if (all.has(folder)) continue;
      all.set(folder, {
        path: folder,
        kind: 'folder',
        mode: 0o755,
        size: 0,
        content: undefined,
        disposition: entry.disposition === 'added' ? 'added' : 'delivered',
        component: entry.component,
      });
    }
  }
  return [...all.values()].sort((a, b) => byBytes(a.path, b.path));
}

/** Entries with the digests of their files; hard links are read once. */
export async function toEntries(planned: readonly Planned[], signal?: AbortSignal): Promise<TreeEntry[]> {
  const digests = new Map<string, string | undefined>();
  const entries: TreeEntry[] = [];
  for (const entry of planned) {
    signal?.throwIfAborted();
    const { content } = entry;
    const key = content !== undefined && 'source' in content ? content.hardLinks : `generated:${entry.path}`;
    if (!digests.has(key)) digests.set(key, await contentDigest(entry, signal));
    const sha256 = entry.kind === 'file' ? digests.get(key) : undefined;
    entries.push({
      path: entry.path,
      kind: entry.kind,
      mode: entry.mode,
      size: entry.size,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(entry.target === undefined ? {} : { target: entry.target }),
      disposition: entry.disposition,
      ...(entry.from === undefined ? {} : { from: entry.from }),
      component: entry.component,
    });
  }
  return entries;
}

/**
 * Lays the planned paths down below `root`, parents first. A file that keeps its mode is hard-linked; one that does not, or that
 * lies on another file system, is copied (by reference where the file system can). Two paths of the tree are hard links of each
 * other exactly if they were in the same source, so that the image does not depend on which of the two happened.
 */
export async function writeTree(
  root: string,
  planned: readonly Planned[],
  signal?: AbortSignal,
): Promise<void> {
  const first = new Map<string, string>();
  const used = new Set<string>();
  for (const entry of planned) {
    signal?.throwIfAborted();
    const path = join(root, entry.path);
    if (entry.kind === 'folder') {
      await mkdir(path);
      await chmod(path, entry.mode); // mkdir applies the umask.
    } else if (entry.kind === 'link') {
      await symlink(entry.target ?? '', path);
    } else {
      await writeOne(entry, path, first, used);
    }
  }
}

async function writeOne(
  entry: Planned,
  path: string,
  first: Map<string, string>,
  used: Set<string>,
): Promise<void> {
  const { content } = entry;
  if (content === undefined) throw new SextantError('internal', `${entry.path} has no content`);
  if ('bytes' in content) {
    await writeFile(path, content.bytes, { flag: 'wx' });
    await chmod(path, entry.mode);
    return;
  }
  // The mode is the inode's: links of one file that are to have different modes are different files.
  const key = `${content.hardLinks}:${entry.mode}`;
  const sibling = first.get(key);
  if (sibling !== undefined) {
    await link(sibling, path);
    return;
  }
  first.set(key, path);
  const inode = content.hardLinks.slice(content.hardLinks.indexOf(':') + 1);
  if (entry.mode === content.mode && !used.has(inode) && (await tryLink(content.source, path))) {
    used.add(inode);
    return;
  }
  await copyFile(content.source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(path, entry.mode);
}

async function tryLink(source: string, path: string): Promise<boolean> {
  try {
    await link(source, path);
    return true;
  } catch (error) {
    // Another file system, too many links, or a kernel that protects hard links to other people's files.
    if (['EXDEV', 'EMLINK', 'EPERM', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return false;
    throw error;
  }
}

/** Makes the empty folder that a tree is written into. Throws `filesystem` when something is in it. */
export async function openOutput(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new SextantError('filesystem', `${folder} is not empty`, { hint: 'name a new folder' });
  }
  await chmod(folder, 0o755);
}
