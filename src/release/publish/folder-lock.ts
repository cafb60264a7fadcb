import { open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isRunning, place } from '../../sources/partial.ts';
import { removedAtExit } from '../../support/at-exit.ts';
import { SextantError } from '../../support/errors.ts';

const LOCK = '.sextant-publish.lock';

/**
 * Does `work` as the only publish in a folder. A lock that a dead process of this machine left behind is taken over. Throws `input` naming whoever
 * is at work.
 */
export async function exclusively<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK);
  const taken = async () => {
    const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await file?.writeFile(`${place} ${process.pid} ${hostname()}\n`);
    await file?.close();
    return file !== undefined;
  };
  if (!(await taken())) {
    const [where, pid, host = 'another machine'] = (await readFile(path, 'utf8').catch(() => ''))
      .trim()
      .split(' ');
    const gone = where === place && !isRunning(Number(pid));
    if (gone) await rm(path, { force: true });
    if (!gone || !(await taken())) {
      throw new SextantError(
        'input',
        `${folder}: another publish is at work there (process ${pid || '?'} on ${host})`,
        { hint: `wait for it; if it is gone for certain, remove ${path}` },
      );
    }
  }
  const released = removedAtExit(path);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
    released();
  }
}
