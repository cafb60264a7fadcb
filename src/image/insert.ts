import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../support/subprocess.ts';

/**
 * Puts `length` zero bytes before the content of a file without copying it: its extents move (fallocate(2), FALLOC_FL_INSERT_RANGE). Ext4
 * and XFS can, for whole blocks of theirs. Throws `tool`; the content is then as it was.
 */
export async function insertBefore(path: string, length: number, signal: AbortSignal): Promise<void> {
  await run('fallocate', ['--insert-range', '--offset', '0', '--length', String(length), path], { signal });
}

/** Whether `insertBefore` works for this length in this folder: tried on a file of its own. */
export async function canInsertBefore(folder: string, length: number, signal: AbortSignal): Promise<boolean> {
  const probe = join(folder, 'probe');
  try {
    await writeFile(probe, '.');
    await insertBefore(probe, length, signal);
    return true;
  } catch {
    signal.throwIfAborted();
    return false; // Another file system, or a fallocate(1) that does not know it.
  } finally {
    await rm(probe, { force: true });
  }
}
