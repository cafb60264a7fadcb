import { chmod, lstat, mkdir, open, readdir, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removedAtExit } from '../support/at-exit.ts';
import type { Context } from '../support/context.ts';
import { toSextantError, withPlace } from '../support/errors.ts';
import { canonicalJson, sha256, temporaryName } from '../support/files.ts';
import { run } from '../support/subprocess.ts';
import { registerUse } from './use.ts';

/**
 * A folder made from known content: `<cache>/built/<SHA-256 of the canonical JSON of key>`. `make` fills an empty folder, which then
 * appears under its final name whole or not at all; when it exists it is reused and marked as used. `key` must name everything
 * that decides the content (digests, architecture, a version of the making itself). Two processes may make the same folder at
 * once: the first to finish wins and the other's is removed. Nobody may write into a finished folder.
 */
export async function builtFolder(
  context: Pick<Context, 'cache' | 'signal'>,
  key: unknown,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  registerUse(context.cache); // What comes of it is in use until this process ends: a guest's disk, a root.
  const finished = join(context.cache, 'built', sha256(canonicalJson(key)));
  const running = making.get(finished);
  if (running !== undefined) return running;
  const result = findOrMake(finished, context.signal, make).finally(() => making.delete(finished));
  making.set(finished, result);
  return result;
}

const making = new Map<string, Promise<string>>();

async function findOrMake(
  finished: string,
  signal: AbortSignal,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  if (await touch(finished)) return finished;
  signal.throwIfAborted();
  const temporary = temporaryName(finished);
  const done = removedAtExit(temporary);
  try {
    await mkdir(temporary, { recursive: true });
    await chmod(temporary, 0o755); // mkdir() applies the umask.
    await make(temporary);
    signal.throwIfAborted();
    await sync(temporary);
    await rename(temporary, finished);
  } catch (error) {
    await removeFolder(temporary);
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && (await touch(finished))) return finished;
    throw toSextantError(withPlace(error, dirname(finished)));
  } finally {
    done();
  }
  await touch(finished);
  return finished;
}

/** Marks a folder or file as used now; false when there is none. */
export async function touch(path: string): Promise<boolean> {
  try {
    const now = new Date();
    await utimes(path, now, now);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    // A cache that may only be read is as good; its marks do not matter.
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return true;
    throw error;
  }
}

/** All files of the folder to the disk, so that a power failure cannot leave a finished name over unwritten content. */
async function sync(folder: string): Promise<void> {
  try {
    await run('sync', ['-f', folder]); // coreutils; one syncfs(2) instead of an fsync(2) for each of thousands of files.
  } catch {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  }
}

/** Removes a folder whatever modes it has inside; no error when there is none. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch {
    await makeWritable(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeWritable(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
  }
}
