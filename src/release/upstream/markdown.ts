import { bytesText } from '../../support/progress.ts';
import type { News, Watched } from './types.ts';

/** Names and versions come from upstream: in code spans nothing of theirs becomes markup. */
function code(text: string): string {
  const plain = text.replace(/[`|\r\n]/g, ' ').trim();
  return plain === '' ? '' : `\`${plain}\``;
}

function version({ upstream, link }: News): string {
  // An address made from a tag: only what cannot end the link.
  return link === undefined || /[\s()<>|]/.test(link) ? code(upstream) : `[${code(upstream)}](${link})`;
}

/** What is newer upstream as the text of a pull request (GitHub flavoured Markdown). */
export function watchedMarkdown(watched: readonly Watched[]): string {
  const parts = watched.filter(({ news }) => news.length > 0).map(section);
  const current = watched.filter(({ news }) => news.length === 0).map(({ id }) => code(id));
  if (current.length > 0) parts.push(`Nothing is newer for ${current.join(', ')}.`);
  return `${parts.join('\n\n')}\n`;
}

function section({ id, lockFile, news, written }: Watched): string {
  const lines = [`### ${id}`];
  const allowed = news.filter((each) => each.allowed);
  if (allowed.length > 0) {
    lines.push(
      '',
      '| what | locked | upstream |',
      '|---|---|---|',
      ...allowed.map(
        (each) => `| ${code(each.name)} | ${code(each.locked) || '(nothing)'} | ${version(each)} |`,
      ),
    );
  }
  if (written !== undefined) {
    const { added, removed, versions } = written;
    lines.push(
      '',
      `${code(lockFile)}: ${added.files} files pinned anew (${bytesText(added.bytes)}), ${removed.files} no longer (${bytesText(removed.bytes)})` +
        `${versions.length === 0 ? '.' : `; ${versions.map(({ name, before, after }) => `${code(name)} ${code(before) || '(none)'} → ${code(after) || '(none)'}`).join(', ')}.`}`,
    );
  }
  const outside = news.filter((each) => !each.allowed);
  if (outside.length > 0) {
    lines.push(
      '',
      'Newer, but the recipe does not allow it:',
      ...outside.map((each) => `- ${code(each.name)} ${code(each.locked)} → ${version(each)}`),
    );
  }
  return lines.join('\n');
}
