import { pruneCache } from '../sources/cache.ts';
import type { Context } from '../support/context.ts';
import { toSextantError } from '../support/errors.ts';
import { bytesText } from '../support/progress.ts';

/**
 * At the end of a build: removes from the cache what was not used for the longest time, and nothing that this process used. The release
 * stands; what goes wrong here is only said.
 */
export async function keepWithinLimit(
  { cache, progress }: Pick<Context, 'cache' | 'progress'>,
  limitBytes: number,
): Promise<void> {
  try {
    const { removedBytes } = await pruneCache({ cache, limitBytes, keepSince: performance.timeOrigin });
    if (removedBytes === 0) return;
    progress.say(
      `removed ${bytesText(removedBytes)} from the cache, down to SEXTANT_CACHE_LIMIT or to what this build used`,
    );
  } catch (error) {
    progress.say(`warning: the cache was not brought down to its limit: ${toSextantError(error).message}`);
  }
}
