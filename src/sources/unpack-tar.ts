import { constants } from 'node:fs';
import { chmod, link, lstat, mkdir, open, readdir, readlink, rm, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined;
  /** What errors call the archive; default "the archive". */
  readonly name?: string;
  /**
   * The folder is the root of a file system: links may be absolute and paths may lead through them, both seen from the folder as a
   * chroot sees them. Without it a link that leaves the folder, or a path through a link, is refused.
   */
  readonly asRoot?: boolean;
  /** Obey whiteouts (".wh.NAME" removes NAME, ".wh..wh..opq" empties its folder): OCI image layers laid over each other. */
  readonly whiteouts?: boolean;
}

/** What a file system answers to a name that no file can have there. */
const UNWRITABLE = new Set(['ENAMETOOLONG', 'EINVAL', 'ELOOP', 'ENOTDIR', 'EEXIST']);
const MAX_LINKS = 40; // As the kernel's MAXSYMLINKS.

/**
 * Unpacks an uncompressed tar stream into `folder` (made when missing). Modes are the archive's, whatever the umask; owners are
 * the caller's and times are not kept. Entries never lead outside: absolute paths, "..", paths through links and links that leave
 * the folder are `input` errors that name the entry, as are devices and pipes. A repeated entry replaces the earlier one as a new
 * file. After an error the folder holds what was unpacked so far: unpack into a temporary folder.
 */
export async function unpackTar(
  stream: AsyncIterable<Uint8Array>,
  folder: string,
  options: UnpackOptions = {},
): Promise<void> {
  const { signal, name = 'the archive', asRoot = false } = options;
  const refuse = (path: string, why: string) =>
    new SextantError('input', `${name}: entry ${JSON.stringify(path)} ${why}`, {
      hint: 'the archive is unsafe to unpack and nothing of it is used; get it from another place',
    });
  await mkdir(folder, { recursive: true });
  const modes = new Map<string, number>();
  const links = new Set<string>();

  /** Parts of a path below the folder; refuses what could lead out of it. */
  const parts = (path: string, whose: string): string[] => {
    if (path.includes('\0')) throw refuse(whose, 'has a NUL byte in its path');
    if (path.startsWith('/') && !asRoot) throw refuse(whose, 'has an absolute path');
    const found = path.split('/').filter((part) => part !== '' && part !== '.');
    if (found.includes('..')) throw refuse(whose, 'has ".." in its path');
    return found;
  };

  /** The real place of a folder's path, made where missing; links are refused, or followed inside the folder. */
  const realFolder = async (path: readonly string[], whose: string): Promise<string[]> => {
    const pending = [...path];
    let real: string[] = [];
    let followed = 0;
    for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
      if (part === '..') {
        real = real.slice(0, -1); // The parent of the root is the root.
        continue;
      }
      const at = join(folder, ...real, part);
      const found = await lstatOrUndefined(at);
      if (found === undefined) {
        await mkdir(at, { mode: 0o755 });
        modes.set(at, 0o755);
      } else if (found.isSymbolicLink()) {
        if (!asRoot) throw refuse(whose, `leads through the link "${[...real, part].join('/')}"`);
        followed += 1;
        if (followed > MAX_LINKS) throw refuse(whose, 'leads through too many links');
        const target = await readlink(at);
        if (target.startsWith('/')) real = [];
        pending.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
        continue;
      } else if (!found.isDirectory()) {
        throw refuse(whose, `needs "${[...real, part].join('/')}" to be a folder, it is a file`);
      }
      real = [...real, part];
    }
    return real;
  };

  /** Makes way for a new file or link; a folder is never replaced by one. */
  const makeWay = async (at: string, entry: TarEntry): Promise<void> => {
    const found = await lstatOrUndefined(at);
    if (found === undefined) return;
    if (found.isDirectory()) throw refuse(entry.path, 'would replace a folder');
    await unlink(at);
    links.delete(at);
  };

  const place = async (entry: TarEntry): Promise<void> => {
    const path = parts(entry.path, entry.path);
    const last = path.at(-1);
    if (entry.kind === 'device' || entry.kind === 'pipe') {
      throw refuse(entry.path, `is a ${entry.kind === 'device' ? 'device node' : 'named pipe'}`);
    }
    if (last === undefined) {
      if (entry.kind !== 'folder') throw refuse(entry.path, 'has no name');
      modes.set(folder, entry.mode);
      return;
    }
    const parent = await realFolder(path.slice(0, -1), entry.path);
    const at = join(folder, ...parent, last);
    if (options.whiteouts && last.startsWith('.wh.')) {
      await whiteOut(join(folder, ...parent), last, () => refuse(entry.path, 'is not a valid whiteout'));
      return;
    }
    if (entry.kind === 'folder') {
      const found = await lstatOrUndefined(at);
      let real = at;
      if (found?.isSymbolicLink() && asRoot) {
        real = join(folder, ...(await realFolder(path, entry.path)));
      } else if (!found?.isDirectory()) {
        await makeWay(at, entry);
        await mkdir(at, { mode: 0o700 });
      }
      modes.set(real, entry.mode);
      return;
    }
    if (entry.kind === 'hard link') {
      const target = parts(entry.target, entry.path);
      const targetName = target.at(-1);
      if (targetName === undefined) throw refuse(entry.path, 'is a hard link to nothing');
      const from = join(folder, ...(await realFolder(target.slice(0, -1), entry.path)), targetName);
      const found = await lstatOrUndefined(from);
      if (!found?.isFile() && !found?.isSymbolicLink()) {
        throw refuse(entry.path, `is a hard link to ${JSON.stringify(entry.target)}, which is not there`);
      }
      if (from === at) return;
      await makeWay(at, entry);
      await link(from, at);
      if (found.isSymbolicLink()) links.add(at);
      return;
    }
    await makeWay(at, entry);
    if (entry.kind === 'link') {
      if (entry.target === '' || entry.target.includes('\0'))
        throw refuse(entry.path, 'is a link to nothing');
      await symlink(entry.target, at);
      links.add(at);
      return;
    }
    await writeBody(at, entry, signal);
  };

  for await (const entry of readTar(stream)) {
    signal?.throwIfAborted();
    try {
      await place(entry);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!UNWRITABLE.has(code)) throw error;
      throw refuse(entry.path, `cannot be written here (${code})`);
    }
  }
  if (!asRoot) {
    for (const at of links) {
      const why = await escapeOf(folder, at);
      if (why !== undefined) throw refuse(at.slice(folder.length + 1), why);
    }
  }
  // Last, and deepest first: a folder without write permission still has to be filled.
  for (const [at, mode] of [...modes].sort(([a], [b]) => b.length - a.length)) {
    if ((await lstatOrUndefined(at))?.isDirectory()) await chmod(at, mode);
  }
}

async function lstatOrUndefined(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeBody(at: string, entry: TarEntry, signal: AbortSignal | undefined): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = await open(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for await (const piece of entry.body) {
      signal?.throwIfAborted();
      for (let written = 0; written < piece.length; ) {
        written += (await file.write(piece, written, piece.length - written)).bytesWritten;
      }
    }
    await file.chmod(entry.mode);
  } finally {
    await file.close();
  }
}

/** OCI image specification, "Whiteouts". */
async function whiteOut(parent: string, name: string, invalid: () => Error): Promise<void> {
  if (name === '.wh..wh..opq') {
    for (const child of await readdir(parent)) {
      await rm(join(parent, child), { recursive: true, force: true });
    }
    return;
  }
  const hidden = name.slice('.wh.'.length);
  if (hidden === '' || hidden === '.' || hidden === '..') throw invalid();
  await rm(join(parent, hidden), { recursive: true, force: true });
}

/**
 * Why the link at `at` leaves `folder`, or undefined when it stays inside. Every part is walked as the kernel would, so that a link
 * which leaves only by way of other links is found too; parts that do not exist count by their names.
 */
async function escapeOf(folder: string, at: string): Promise<string | undefined> {
  const target = await readlink(at);
  let real = at
    .slice(folder.length + 1)
    .split('/')
    .slice(0, -1);
  const leaves = `is a link to ${JSON.stringify(target)}, outside the archive`;
  if (target.startsWith('/')) return leaves;
  const pending = target.split('/').filter((part) => part !== '' && part !== '.');
  let followed = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '..') {
      if (real.length === 0) return leaves;
      real = real.slice(0, -1);
      continue;
    }
    const here = join(folder, ...real, part);
    let found: Awaited<ReturnType<typeof lstatOrUndefined>>;
    try {
      found = await lstatOrUndefined(here);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
    }
    if (!found?.isSymbolicLink()) {
      real = [...real, part];
      continue;
    }
    followed += 1;
    if (followed > MAX_LINKS) return 'is a link that leads in a circle';
    const next = await readlink(here);
    if (next.startsWith('/')) return leaves;
    pending.unshift(...next.split('/').filter((piece) => piece !== '' && piece !== '.'));
  }
  return undefined;
}
