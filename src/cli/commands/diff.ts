import { difference } from '../../release/difference.ts';
import { withExtension } from '../../release/extension.ts';
import type { Context } from '../../support/context.ts';
import { bytesText } from '../../support/progress.ts';
import { table } from '../print.ts';

/** Prints what differs between two extensions; equal ones are one line. */
export async function diff(
  a: string,
  b: string,
  options: { readonly json?: boolean },
  context: Context,
): Promise<void> {
  const found = await withExtension(a, context, (before) =>
    withExtension(b, context, (after) => difference(before, after)),
  );
  process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : page(found));
}

function page({ versions, files, size, rootHash }: Awaited<ReturnType<typeof difference>>): string {
  if (rootHash.before === rootHash.after) return 'identical content (same root hash)\n';
  const lines: string[] = [];
  if (versions.length > 0) {
    const rows = versions.map(({ name, before, after }) => [
      `  ${name}`,
      before ?? '(none)',
      '->',
      after ?? '(none)',
    ]);
    lines.push('Versions:', table(rows), '');
  }
  if (files.length > 0) {
    const mark = { added: '+', removed: '-', changed: '~' } as const;
    const rows = files.map(({ path, change, component, before, after }) => [
      `  ${mark[change]}`,
      path,
      component,
      signed(after - before),
    ]);
    lines.push(`Files: ${files.length} differ`, table(rows, [3]), '');
  } else {
    lines.push('Files: none differ (the file system around them does)', '');
  }
  lines.push(
    `Image: ${bytesText(size.before)} -> ${bytesText(size.after)} (${signed(size.after - size.before)})`,
  );
  return `${lines.join('\n')}\n`;
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${bytesText(Math.abs(bytes))}`;
}
