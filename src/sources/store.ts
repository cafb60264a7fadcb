import { chmod, copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LockedBlob } from '../lock/types.ts';
import { isWithoutSpace, SextantError, toSextantError } from '../support/errors.ts';
import { fileDigest, sha256 as sha256Of, temporaryName } from '../support/files.ts';
import { inStep, type Progress, type Step } from '../support/progress.ts';
import { type Clock, systemClock } from '../support/retry.ts';
import { frozenError } from './ask-text.ts';
import { throwIfInterrupted } from './attempts.ts';
import { touch } from './built.ts';
import { type Downloaded, download } from './download.ts';
import { limiter } from './limiter.ts';
import { addressText, mirrored } from './mirrors.ts';
import { claimPartial, type Partial } from './partial.ts';
import type { BlobStore, FetchOptions, Mirror } from './types.ts';
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

/** One download: `check` throws when the bytes are not the right ones, `finished` says that another process has stored them. */
interface Wanted extends FetchOptions {
  readonly key: string;
  readonly url: string;
  readonly size: number | undefined;
  readonly judged: boolean;
  readonly step: Step;
  readonly check: (result: Downloaded) => void;
  readonly finished: () => Promise<boolean>;
}

/** Where a blob is kept: `<cache>/blobs/sha256/ab/<digest>`. */
export function blobPath(cache: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new SextantError('input', `"${sha256}" is not a SHA-256 digest`, {
      hint: 'a digest is 64 lower-case hexadecimal digits; write the lock again with `sextant lock`',
    });
  }
  return join(cache, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
}

/**
 * Opens the store of fetched bytes. At most 6 downloads run at once, 4 from one host; a blob asked for twice is downloaded once,
 * also by two processes. A blob appears under its name only when its digest is checked and it is on the disk.
 */
export function openStore(options: StoreOptions): BlobStore {
  const { cache, mirrors, frozen, progress, clock = systemClock } = options;
  const { stallMs = 60_000, overallMs = 4 * 3600_000 } = options;
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
    const actual = await fileDigest(path, options.signal);
    if (actual.sha256 === blob.sha256) throw mismatch(blob.url, blob, actual);
    await rm(path, { force: true });
    return undefined;
  };

  /** Downloads under a claimed name and moves the result to its place, when `check` has nothing against it. */
  const obtain = async (wanted: Wanted): Promise<Downloaded | undefined> => {
    throwIfInterrupted(options.signal);
    const { key, url, size, judged, step, check, headers = {} } = wanted;
    const overall = AbortSignal.timeout(overallMs);
    const signal = AbortSignal.any([options.signal, overall]);
    const text = addressText(url, mirrored(url, mirrors));
    let partial: Partial | undefined;
    let etag: string | undefined;
    try {
      partial = await claimPartial(cache, key, {
        clock,
        signal: options.signal,
        finished: wanted.finished,
        onWait: () => step.update({ note: 'another sextant downloads it, waiting' }),
      });
      if (partial === undefined) return undefined;
      etag = partial.etag;
      const request = {
        url,
        text,
        mirrors,
        headers,
        path: partial.path,
        size,
        judged,
        clock,
        stallMs,
        step,
        signal,
      };
      for (let again = true; ; again = false) {
        const result = await download({ ...request, etag }, (known) => {
          etag = known;
        });
        try {
          check(result);
        } catch (error) {
          await partial.discard();
          // The wrong bytes may be those of an earlier run or of a file that changed meanwhile: once more, from the beginning.
          if (!again || !result.resumed) throw error;
          etag = undefined;
          continue;
        }
        await store(partial.path, result.sha256);
        partial.moved();
        return result;
      }
    } catch (error) {
      const told = translate(error, text, overall);
      if (told.code === 'network' || told.code === 'interrupted')
        await partial?.release(etag).catch(() => {});
      else await partial?.discard();
      throw told;
    }
  };

  const translate = (error: unknown, text: string, overall: AbortSignal): SextantError => {
    if (options.signal.aborted) {
      try {
        throwIfInterrupted(options.signal);
      } catch (interrupted) {
        return interrupted as SextantError;
      }
    }
    if (overall.aborted) {
      return new SextantError(
        'network',
        `${text}: took longer than ${Math.ceil(overallMs / 60_000)} minutes`,
        {
          hint: 'run the same command again; what came so far is kept',
        },
      );
    }
    if (isWithoutSpace(error)) {
      return new SextantError('filesystem', `${cache}: no space left on the disk, downloading ${text}`, {
        hint: 'free some space (`sextant cache prune` removes what is not in use), or point SEXTANT_CACHE at another disk',
        cause: error,
      });
    }
    return toSextantError(error);
  };

  const store = async (from: string, sha256: string): Promise<string> => {
    const path = blobPath(cache, sha256);
    await chmod(from, 0o444); // Trees link to blobs: nobody may write into one by accident.
    await mkdir(dirname(path), { recursive: true });
    await rename(from, path);
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
    return path;
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
          obtain({
            ...fetchOptions,
            key: blob.sha256,
            url: blob.url,
            size: blob.size,
            judged: true,
            step: shown,
            check(result) {
              if (result.sha256 !== blob.sha256 || result.size !== blob.size)
                throw mismatch(text, blob, result);
            },
            finished: async () => (await find(blob.sha256)) !== undefined,
          }),
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
          obtain({
            headers,
            key: expected ?? sha256Of(url),
            url,
            size: undefined,
            judged: expected !== undefined,
            step: shown,
            check(got) {
              if (expected !== undefined && got.sha256 !== expected)
                throw mismatch(text, { sha256: expected }, got);
            },
            finished: async () => (await stored()) !== undefined,
          }),
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
      await mkdir(dirname(taken), { recursive: true });
      try {
        try {
          await rename(path, taken);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
          await copyFile(path, taken);
          await rm(path);
        }
        const digest = await fileDigest(taken, options.signal);
        const file = await open(taken, 'r');
        await file.sync().finally(() => file.close());
        return { path: await store(taken, digest.sha256), ...digest };
      } catch (error) {
        await rm(taken, { force: true });
        throw toSextantError(error);
      }
    },
  };
}

/** Last part of an address' path, decoded: the file's name. */
export function lastPart(url: string): string {
  if (!URL.canParse(url)) return url.split('/').at(-1) || url;
  const { pathname, host } = new URL(url);
  const last = pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || host;
  } catch {
    return last;
  }
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '';
}

/** The error for bytes that are not what the lock or a checksum says. */
export function mismatch(
  text: string,
  expected: { readonly sha256: string; readonly size?: number },
  actual: {
    readonly sha256: string;
    readonly size: number;
    readonly tooLong?: boolean;
    readonly html?: boolean;
  },
): SextantError {
  const size = expected.size === undefined ? '' : ` (${expected.size} bytes)`;
  return new SextantError(
    'verification',
    `${text}: wrong content: expected sha256 ${expected.sha256}${size}, got sha256 ${actual.sha256} (${actual.size} bytes)`,
    {
      hint: actual.html
        ? 'the server answered with an HTML page instead of the file: a login, proxy or error page; open the address in a browser'
        : 'nothing was kept; if upstream replaced the file on purpose, write the lock again with `sextant lock`, else do not trust it',
    },
  );
}
