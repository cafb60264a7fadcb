import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removedAtExit } from './at-exit.ts';
import { withPlace } from './errors.ts';

/** Lower-case hexadecimal SHA-256 of bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** SHA-256 (hexadecimal) and size in bytes of a file, streamed. */
export async function fileDigest(
  path: string,
  signal?: AbortSignal,
): Promise<{ sha256: string; size: number }> {
  const { digest, size } = await fileHash(path, 'sha256', signal);
  return { sha256: digest, size };
}

/** Digest (hexadecimal) and size in bytes of a file, streamed. */
export async function fileHash(
  path: string,
  algorithm: 'sha1' | 'sha256',
  signal?: AbortSignal,
): Promise<{ digest: string; size: number }> {
  const hash = createHash(algorithm);
  let size = 0;
  for await (const piece of createReadStream(path, {
    highWaterMark: 1024 * 1024,
    ...(signal ? { signal } : {}),
  })) {
    hash.update(piece as Buffer);
    size += (piece as Buffer).length;
  }
  return { digest: hash.digest('hex'), size };
}

/** A name next to `path` that nothing else uses; on the same file system, so that it can be renamed into place. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
}

/**
 * Writes a file so that either the old content or the whole new one is there, whatever happens in between: temporary name, sync,
 * rename. The temporary file is removed when something fails.
 */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  const keep = removedAtExit(temporary);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.chmod(mode); // open() applies the umask.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw withPlace(error, path, temporary);
  } finally {
    keep();
  }
}

/** Runs `work` with an empty folder next to `near` that is removed afterwards, also after an error. */
export async function withTemporaryFolder<T>(near: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = temporaryName(near);
  const removed = removedAtExit(folder);
  try {
    // In two steps: a recursive mkdir calls a read-only file system a missing folder.
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(folder);
    return await work(folder);
  } catch (error) {
    throw withPlace(error, near, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
    removed();
  }
}

/** Puts a finished folder in the place of an older one; the older one goes only when the new one stands. */
export async function replaceFolder(folder: string, output: string): Promise<void> {
  const old = `${folder}.old`;
  await mkdir(dirname(output), { recursive: true });
  const had = await rename(output, old).then(
    () => true,
    () => false,
  );
  try {
    await rename(folder, output);
  } catch (error) {
    if (had) await rename(old, output);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

/** JSON with sorted keys and no spaces: the same value always gives the same text, so that it can be hashed. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  );
}
