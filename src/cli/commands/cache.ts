import {
  type CacheShare,
  type CacheStatus,
  cacheLimit,
  cacheStatus,
  pruneCache,
} from '../../sources/cache.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { bytesText } from '../../support/progress.ts';
import { table } from '../print.ts';

/** Shows the cache, prunes it to a size (least recently used first) or empties it. */
export async function cache(
  action: string,
  options: { readonly limit?: string; readonly json?: boolean },
  context: Context,
): Promise<void> {
  if (options.limit !== undefined && !/^\d+$/.test(options.limit)) {
    throw new SextantError('usage', `--limit ${options.limit}: not a number of bytes`);
  }
  if (action === 'status') {
    const status = await cacheStatus({ cache: context.cache });
    process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : page(status));
    return;
  }
  const limitBytes = options.limit === undefined ? cacheLimit() : Number(options.limit);
  const result = await pruneCache({ cache: context.cache, limitBytes, all: action === 'clear' });
  process.stdout.write(
    options.json
      ? `${JSON.stringify(result)}\n`
      : `removed ${bytesText(result.removedBytes)}, ${bytesText(result.keptBytes)} are left\n`,
  );
}

/** One line for each part of the cache. */
function page({ cache: folder, blobs, built, partial, other, bytes }: CacheStatus): string {
  const parts: [string, CacheShare][] = [
    ['fetched files', blobs],
    ['built from them', built],
    ['unfinished downloads', partial],
    ...Object.entries(other),
  ];
  const rows = parts.map(([name, share]) => [`  ${name}`, `${share.count}`, bytesText(share.bytes)]);
  return `${folder}: ${bytesText(bytes)}\n${table(rows, [1, 2])}\n`;
}
