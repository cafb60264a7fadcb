import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removedAtExit } from '../../support/at-exit.ts';
import { SextantError, withPlace } from '../../support/errors.ts';
import { fileDigest, temporaryName } from '../../support/files.ts';

/**
 * Puts a file into a mirror under its final name, whole or not at all, checked against its digest. What is there already and right is
 * kept; true when something was written. It is a copy: who keeps the mirror may do with it what they want without harm to the cache.
 */
export async function place(
  from: string,
  to: string,
  expected: { readonly sha256: string; readonly size: number },
  signal: AbortSignal,
  mode = 0o644,
): Promise<boolean> {
  signal.throwIfAborted();
  const present = await stat(to).catch(() => undefined);
  if (present?.size === expected.size && (await fileDigest(to, signal)).sha256 === expected.sha256)
    return false;
  const temporary = temporaryName(to);
  const done = removedAtExit(temporary);
  try {
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    const copied = await fileDigest(temporary, signal);
    if (copied.sha256 !== expected.sha256) {
      throw new SextantError('verification', `${from}: changed while it was copied to the mirror`, {
        hint: 'run the same command again',
      });
    }
    await chmod(temporary, mode);
    const file = await open(temporary, 'r');
    await file.sync().finally(() => file.close());
    await rename(temporary, to);
    return true;
  } catch (error) {
    await rm(temporary, { force: true });
    throw withPlace(error, to, temporary);
  } finally {
    done();
  }
}
