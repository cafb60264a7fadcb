import { isWithoutSpace, SextantError, toSextantError } from '../support/errors.ts';
import type { Step } from '../support/progress.ts';
import type { Clock } from '../support/retry.ts';
import { throwIfInterrupted } from './attempts.ts';
import { storeBlob } from './blob.ts';
import { type Downloaded, download } from './download.ts';
import { addressText, mirrored } from './mirrors.ts';
import { claimPartial, type Partial } from './partial.ts';
import type { PinnedPlace } from './registry-mirror.ts';
import type { FetchOptions, Mirror } from './types.ts';

/** What is the same for all downloads of a store; times in milliseconds. */
export interface Obtaining {
  readonly cache: string;
  readonly mirrors: readonly Mirror[];
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly stallMs: number;
  readonly overallMs: number;
  /** Where a registry that is a mirror has the bytes of a digest. */
  readonly pinned: (url: string, sha256: string) => Promise<PinnedPlace | undefined>;
}

/** One download: `check` throws when the bytes are not the right ones, `finished` says that another process has stored them. */
interface Wanted extends FetchOptions {
  readonly key: string;
  readonly url: string;
  /** Digest of the bytes, where it is known. */
  readonly sha256: string | undefined;
  readonly size: number | undefined;
  readonly judged: boolean;
  readonly step: Step;
  readonly check: (result: Downloaded) => void;
  readonly finished: () => Promise<boolean>;
}

/**
 * Downloads under a claimed name and moves the result to its place, when `check` has nothing against it; undefined when another process has
 * stored it meanwhile.
 */
export async function obtain(wanted: Wanted, how: Obtaining): Promise<Downloaded | undefined> {
  const { cache, mirrors, clock, stallMs, overallMs } = how;
  throwIfInterrupted(how.signal);
  const { key, url, size, judged, step, check, headers = {} } = wanted;
  const overall = AbortSignal.timeout(overallMs);
  const signal = AbortSignal.any([how.signal, overall]);
  const text = addressText(url, mirrored(url, mirrors));
  let partial: Partial | undefined;
  let etag: string | undefined;
  try {
    partial = await claimPartial(cache, key, {
      clock,
      signal: how.signal,
      finished: wanted.finished,
      onWait: () => step.update({ note: 'another sextant downloads it, waiting' }),
    });
    if (partial === undefined) return undefined;
    etag = partial.etag;
    const place = wanted.sha256 === undefined ? undefined : await how.pinned(url, wanted.sha256);
    const request = {
      ...(place ?? { url, mirrors, headers }),
      text,
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
      await storeBlob(cache, partial.path, result.sha256);
      partial.moved();
      return result;
    }
  } catch (error) {
    const told = translate(error, text, overall, how);
    if (told.code === 'network' || told.code === 'interrupted') await partial?.release(etag).catch(() => {});
    else await partial?.discard();
    throw told;
  }
}

function translate(error: unknown, text: string, overall: AbortSignal, how: Obtaining): SextantError {
  if (how.signal.aborted) {
    try {
      throwIfInterrupted(how.signal);
    } catch (interrupted) {
      return interrupted as SextantError;
    }
  }
  if (overall.aborted) {
    return new SextantError(
      'network',
      `${text}: took longer than ${Math.ceil(how.overallMs / 60_000)} minutes`,
      {
        hint: 'run the same command again; what came so far is kept',
      },
    );
  }
  if (isWithoutSpace(error)) {
    return new SextantError('filesystem', `${how.cache}: no space left on the disk, downloading ${text}`, {
      hint: 'free some space (`sextant cache prune` removes what is not in use), or point SEXTANT_CACHE at another disk',
      cause: error,
    });
  }
  return toSextantError(error);
}
