import { link, open, rm } from 'node:fs/promises';
import { removedAtExit } from '../../support/at-exit.ts';
import { SextantError } from '../../support/errors.ts';
import { temporaryName } from '../../support/files.ts';

export interface NewFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Permission bits, whatever the umask. */
  readonly mode: number;
}

/**
 * Writes files that must not be there yet: all of them, or none. Each appears whole under its own name (a hard link of a synced file), so
 * that not even a file made at the same moment is overwritten. Throws `filesystem` naming the one that is there.
 */
export async function writeNewFiles(files: readonly NewFile[]): Promise<void> {
  const written: string[] = [];
  try {
    for (const file of files) {
      await writeNew(file);
      written.push(file.path);
    }
  } catch (error) {
    await Promise.all(written.map((path) => rm(path, { force: true })));
    throw error;
  }
}

async function writeNew({ path, content, mode }: NewFile): Promise<void> {
  const temporary = temporaryName(path);
  const removed = removedAtExit(temporary);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.chmod(mode); // open() applies the umask.
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && syscall === 'link') {
      throw new SextantError('filesystem', `${path}: is there already, keys are never overwritten`, {
        hint: 'give another name, or move the old files away',
      });
    }
    throw code === undefined ? error : Object.assign(error as Error, { path });
  } finally {
    await rm(temporary, { force: true });
    removed();
  }
}
