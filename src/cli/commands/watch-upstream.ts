import { somethingNew, watchUpstream } from '../../release/upstream/index.ts';
import { watchedMarkdown } from '../../release/upstream/markdown.ts';
import type { News, Watched } from '../../release/upstream/types.ts';
import type { Context } from '../../support/context.ts';
import { NEWS_EXIT_CODE } from '../../support/errors.ts';
import { bytesText } from '../../support/progress.ts';
import { table } from '../print.ts';

interface WatchOptions {
  readonly recipe: string;
  readonly only?: readonly string[];
  readonly write?: boolean;
  readonly tools?: boolean;
  readonly markdown?: boolean;
  readonly json?: boolean;
}

/** Prints what is newer upstream than the locks; exit code 9 when the recipe allows any of it. */
export async function watchUpstreamCommand(options: WatchOptions, context: Context): Promise<void> {
  const watched = await watchUpstream({
    recipe: options.recipe,
    context,
    write: options.write === true,
    tools: options.tools !== false,
    ...(options.only === undefined ? {} : { only: options.only }),
  });
  const changed = somethingNew(watched);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ new: changed, releases: watched })}\n`
      : options.markdown
        ? watchedMarkdown(watched)
        : page(watched, options),
  );
  if (changed) process.exitCode = NEWS_EXIT_CODE;
}

function page(watched: readonly Watched[], { recipe, write }: WatchOptions): string {
  const rows = watched.flatMap(({ id, news }) =>
    news.map((each) => [id, each.name, shortened(each.locked), '->', shortened(each.upstream), remark(each)]),
  );
  const lines = rows.length === 0 ? [] : [table(rows)];
  for (const { lockFile, written } of watched) {
    if (written === undefined) continue;
    lines.push(
      `${lockFile}: written; ${written.added.files} files pinned anew (${bytesText(written.added.bytes)}), ${written.removed.files} no longer`,
    );
  }
  const unasked = new Map(watched.flatMap(({ silent }) => silent.map(({ name, why }) => [name, why])));
  for (const [name, why] of unasked) lines.push(`${name} is not looked for: ${why}`);
  if (!somethingNew(watched)) lines.push('nothing is newer upstream that the recipe allows');
  else if (!write) lines.push(`next: sextant watch-upstream --recipe ${recipe} --write`);
  return `${lines.join('\n')}\n`;
}

function remark({ allowed, link }: News): string {
  return [allowed ? '' : 'outside of what the recipe allows', link ?? '']
    .filter((text) => text !== '')
    .join('  ');
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
