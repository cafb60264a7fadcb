import { cacheLimit, cacheStatus, pruneCache } from '../../sources/cache.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { bytesText } from '../../support/progress.ts';

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
    process.stdout.write(
      options.json ? `${JSON.stringify(status)}\n` : `${context.cache}\n${shares(status)}`,
    );
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

/** One line for each part of the cache that has a size. */
function shares(status: object): string {
  return Object.entries(status)
    .map(([name, value]: [string, unknown]) => {
      const share = value as { files?: number; count?: number; bytes?: number };
      if (typeof value === 'number') return `  ${name}  ${/bytes/i.test(name) ? bytesText(value) : value}\n`;
      return typeof share?.bytes === 'number' ? `  ${name}  ${bytesText(share.bytes)}\n` : '';
    })
    .join('');
}
