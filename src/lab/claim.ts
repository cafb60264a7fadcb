import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { temporaryName } from '../support/files.ts';
import { isAlive } from './state.ts';

/**
 * Takes something for this process by a file that holds its id; gives what ends the claim. One that a dead process left counts for
 * nothing. Throws `usage` with `taken` when a living one has it.
 */
export async function claim(file: string, taken: string): Promise<() => Promise<void>> {
  await mkdir(dirname(file), { recursive: true });
  const own = temporaryName(file);
  await writeFile(own, `${process.pid}\n`, { mode: 0o600 });
  try {
    while (!(await linked(own, file))) {
      const pid = Number(await readFile(file, 'utf8').catch(() => 0));
      if (pid === 0) continue; // Given up just now.
      if (isAlive(pid)) {
        throw new SextantError('usage', `${taken} (process ${pid})`, {
          hint: `wait for it or end it; if that process is another program by now, remove ${file}`,
        });
      }
      await rm(file, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
  return () => rm(file, { force: true });
}

/** Gives a file a second name; false when that name is taken. */
async function linked(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
