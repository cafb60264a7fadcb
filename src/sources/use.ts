import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { atExit } from '../support/at-exit.ts';
import { isRunning, place } from './partial.ts';

// <cache>/running/PLACE.PID: the processes that use the cache, so that what one needs is not removed by another.

/** After this long a process of another host or container, which cannot be asked, counts as ended. */
const UNSEEN_MS = 24 * 3600_000;

const registered = new Set<string>();

/** Says that this process uses the cache, until it ends. A cache that cannot be written needs no protection. */
export function registerUse(cache: string): void {
  const path = join(cache, 'running', `${place}.${process.pid}`);
  if (registered.has(path)) return;
  try {
    mkdirSync(join(cache, 'running'), { recursive: true });
    writeFileSync(path, '');
  } catch {
    return;
  }
  if (registered.size === 0) atExit(unregister);
  registered.add(path);
}

function unregister(): void {
  for (const path of registered) {
    try {
      rmSync(path, { force: true });
    } catch {
      // Whoever prunes next sees that the process is gone.
    }
  }
}

/**
 * When the oldest other running process began to use the cache (milliseconds since 1970), Infinity when there is none: whatever
 * was used since then may be in use.
 */
export async function inUseSince(cache: string, now: number): Promise<number> {
  const folder = join(cache, 'running');
  let since = Number.POSITIVE_INFINITY;
  for (const name of await readdir(folder).catch(() => [])) {
    const [where, pid] = name.split('.');
    const begun = await stat(join(folder, name)).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (begun === undefined || (where === place && Number(pid) === process.pid)) continue;
    const lives = where === place ? isRunning(Number(pid)) : now - begun < UNSEEN_MS;
    if (lives) since = Math.min(since, begun);
  }
  return since;
}
