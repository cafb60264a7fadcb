import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync, renameSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../support/at-exit.ts';
import { sha256 } from '../support/files.ts';
import type { Clock } from '../support/retry.ts';

// Unfinished downloads, <cache>/partial/KEY. Whoever writes one first renames it to a name of its own, KEY.PLACE.PID.RANDOM:
// rename is atomic, so that no file ever has two writers, in however many processes, and no lock can be left behind.

/** A file without a write for this long is taken to have lost its writer, whatever its name says. */
const SILENT_MS = 180_000;
const WAIT_MS = 250;

export interface Partial {
  /** This process' own name of the file, which is there, perhaps empty. */
  readonly path: string;
  /** The server's ETag of what the file holds the beginning of, when known. */
  readonly etag: string | undefined;
  /** Gives an unfinished file back for a later run to go on with. */
  release(etag: string | undefined): Promise<void>;
  discard(): Promise<void>;
  /** Says that the file is finished and has been moved away. */
  moved(): void;
}

/** Process ids mean something within one boot, host and pid namespace only. */
export const place = sha256(
  [hostname(), tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')), pidNamespace()].join(
    '\n',
  ),
).slice(0, 8);

function pidNamespace(): string {
  return tryRead(() => readlinkSync('/proc/self/ns/pid'));
}

function tryRead(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/**
 * Takes over what is there of a download, or a new name when there is nothing. While another living process downloads the same key
 * it waits, and resolves to undefined as soon as `finished` says that waiting paid off.
 */
export async function claimPartial(
  cache: string,
  key: string,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly finished: () => Promise<boolean>;
    readonly onWait?: () => void;
  },
): Promise<Partial | undefined> {
  const folder = join(cache, 'partial');
  await mkdir(folder, { recursive: true });
  const mine = join(folder, `${key}.${place}.${process.pid}.${randomBytes(4).toString('hex')}`);
  for (;;) {
    const claims = await claimsOf(folder, key, options.clock);
    if (!claims.some(({ alive }) => alive)) {
      const abandoned = claims.filter(({ takeable }) => takeable).map(({ path }) => path);
      const etag = await firstRenamed([...abandoned, join(folder, key)], mine, join(folder, `${key}.etag`));
      await (await open(mine, 'a', 0o600)).close(); // From now on others see that it is being written.
      const moved = atExit(() => renameSync(mine, join(folder, key)));
      return {
        path: mine,
        etag,
        moved,
        async release(known) {
          const etagFile = join(folder, `${key}.etag`);
          await rm(etagFile, { force: true });
          const { size } = await stat(mine);
          if (size === 0) {
            await rm(mine, { force: true });
            moved();
            return;
          }
          await rename(mine, join(folder, key));
          moved();
          if (known !== undefined) await writeFile(etagFile, known);
        },
        async discard() {
          await rm(mine, { force: true });
          moved();
        },
      };
    }
    options.onWait?.();
    await options.clock.sleep(WAIT_MS, options.signal);
    if (await options.finished()) return undefined;
  }
}

/** Other processes' claims: `alive` when it is written to now, `takeable` when its writer is gone for certain. */
async function claimsOf(folder: string, key: string, clock: Clock) {
  const found: { path: string; alive: boolean; takeable: boolean }[] = [];
  for (const name of await readdir(folder)) {
    const [owner, where, pid] = name.split('.');
    if (owner !== key || where === undefined || pid === undefined) continue;
    const path = join(folder, name);
    const silent = await stat(path).then(
      ({ mtimeMs }) => clock.now() - mtimeMs,
      () => undefined,
    );
    if (silent === undefined || Number(pid) === process.pid) continue;
    const here = where === place;
    const running = !here || isRunning(Number(pid));
    found.push({ path, alive: running && silent < SILENT_MS, takeable: here && !running });
  }
  return found;
}

/** Whether a process of this boot, host and pid namespace is there. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Renames the first of `paths` that is still there; resolves to the ETag kept with it. The rest is left for `pruneCache`. */
async function firstRenamed(
  paths: readonly string[],
  to: string,
  etagFile: string,
): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await rename(path, to);
    } catch (error) {
      ignoreMissing(error);
      continue;
    }
    // What a killed process left has no ETag of its own.
    const resting = path === paths.at(-1);
    const etag = resting ? await readFile(etagFile, 'utf8').catch(() => undefined) : undefined;
    await rm(etagFile, { force: true });
    return etag;
  }
  return undefined;
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
