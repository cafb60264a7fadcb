import { copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LockedBlob } from '../lock/types.ts';
import { removedAtExit } from '../support/at-exit.ts';
import { SextantError, toSextantError, withPlace } from '../support/errors.ts';
import { fileDigest, sha256 as sha256Of, temporaryName } from '../support/files.ts';
import { inStep, type Progress, type Step } from '../support/progress.ts';
import { type Clock, systemClock } from '../support/retry.ts';
import { frozenError } from './ask-text.ts';
import { blobPath, mismatch, storeBlob } from './blob.ts';
import { touch } from './built.ts';
import { limiter } from './limiter.ts';
import { addressText, lastPart, mirrored } from './mirrors.ts';
import { type Obtaining, obtain } from './obtain.ts';
import { registryMirrors } from './registry-mirror.ts';
import type { BlobStore, Mirror } from './types.ts';
import { registerUse } from './use.ts';

export interface StoreOptions {
  readonly cache: string;
  readonly mirrors: readonly Mirror[];
  readonly frozen: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly clock?: Clock;
  /** Milliseconds without a byte after which a download is tried again; default 60 s. */
  readonly stallMs?: number;
  /** Milliseconds that one download may take altogether; default 4 hours. */
  readonly overallMs?: number;
}

const DOWNLOADS = 6;
const DOWNLOADS_PER_HOST = 4;

/**
 * Opens the store of fetched bytes. At most 6 downloads run at once, 4 from one host; a blob asked for twice is downloaded once,
 * also by two processes. A blob appears under its name only when its digest is checked and it is on the disk.
 */
export function openStore(options: StoreOptions): BlobStore {
  const { cache, mirrors, frozen, progress, signal, clock = systemClock } = options;
  const { stallMs = 60_000, overallMs = 4 * 3600_000 } = options;
  const pinned = registryMirrors({ mirrors, frozen, signal, clock });
  const how: Obtaining = { cache, mirrors, signal, clock, stallMs, overallMs, pinned };
  registerUse(cache);
  const limited = limiter(DOWNLOADS, DOWNLOADS_PER_HOST);
  const running = new Map<string, Promise<unknown>>();

  const once = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const found = running.get(key) as Promise<T> | undefined;
    if (found !== undefined) return found;
    const started = work().finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };

  const find = async (sha256: string): Promise<string | undefined> => {
    const path = blobPath(cache, sha256);
    return (await touch(path)) ? path : undefined;
  };

  /** A stored blob of the right size; one that a broken disk has shortened is removed. */
  const findWhole = async (blob: LockedBlob): Promise<string | undefined> => {
    const path = await find(blob.sha256);
    if (path === undefined || (await stat(path)).size === blob.size) return path;
    const actual = await fileDigest(path, signal);
    if (actual.sha256 === blob.sha256) throw mismatch(blob.url, blob, actual);
    await rm(path, { force: true });
    return undefined;
  };

  const queued = <T>(step: Step | undefined, url: string, work: (step: Step) => Promise<T>): Promise<T> =>
    limited(hostOf(mirrored(url, mirrors)), () =>
      step === undefined ? inStep(progress, `download ${lastPart(url)}`, work) : work(step),
    );

  return {
    find,
    async fetch(blob, step, fetchOptions = {}) {
      blobPath(cache, blob.sha256);
      return once(blob.sha256, async () => {
        const present = await findWhole(blob);
        if (present !== undefined) return present;
        if (frozen) throw frozenError(`${blob.url} (sha256 ${blob.sha256}) is not in the cache; it`);
        const text = addressText(blob.url, mirrored(blob.url, mirrors));
        await queued(step, blob.url, (shown) =>
          obtain(
            {
              ...fetchOptions,
              key: blob.sha256,
              url: blob.url,
              sha256: blob.sha256,
              size: blob.size,
              judged: true,
              step: shown,
              check(result) {
                if (result.sha256 !== blob.sha256 || result.size !== blob.size)
                  throw mismatch(text, blob, result);
              },
              finished: async () => (await find(blob.sha256)) !== undefined,
            },
            how,
          ),
        );
        return blobPath(cache, blob.sha256);
      });
    },
    async discover(url, step, discoverOptions = {}) {
      if (frozen) throw frozenError(url);
      const { sha256: expected, headers = {} } = discoverOptions;
      return once(`${url} ${expected ?? ''}`, async () => {
        const stored = async () => {
          const path = expected === undefined ? undefined : await find(expected);
          if (path === undefined || expected === undefined) return undefined;
          return { path, blob: { url, size: (await stat(path)).size, sha256: expected }, finalUrl: url };
        };
        const present = await stored();
        if (present !== undefined) return present;
        const text = addressText(url, mirrored(url, mirrors));
        const result = await queued(step, url, (shown) =>
          obtain(
            {
              headers,
              key: expected ?? sha256Of(url),
              url,
              sha256: expected,
              size: undefined,
              judged: expected !== undefined,
              step: shown,
              check(got) {
                if (expected !== undefined && got.sha256 !== expected)
                  throw mismatch(text, { sha256: expected }, got);
              },
              finished: async () => (await stored()) !== undefined,
            },
            how,
          ),
        );
        if (result !== undefined) {
          const { sha256, size, finalUrl } = result;
          return { path: blobPath(cache, sha256), blob: { url, size, sha256 }, finalUrl };
        }
        const meanwhile = await stored();
        if (meanwhile === undefined) throw new SextantError('internal', `${url}: vanished from the cache`);
        return meanwhile;
      });
    },
    async add(path) {
      const taken = temporaryName(join(cache, 'partial', 'added'));
      const done = removedAtExit(taken);
      await mkdir(dirname(taken), { recursive: true });
      try {
        try {
          await rename(path, taken);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
          await copyFile(path, taken);
          await rm(path);
        }
        const digest = await fileDigest(taken, signal);
        const file = await open(taken, 'r');
        await file.sync().finally(() => file.close());
        return { path: await storeBlob(cache, taken, digest.sha256), ...digest };
      } catch (error) {
        await rm(taken, { force: true });
        throw toSextantError(withPlace(error, cache));
      } finally {
        done();
      }
    },
  };
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '';
}
