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
  return `## ${title(watched)}\n\n${parts.join('\n\n')}\n`;
}

/** One line that says what the locks took or would take: a pull request's title. Plain text. */
function title(watched: readonly Watched[]): string {
  const allowed = watched.flatMap(({ news }) => news.filter((each) => each.allowed));
  const named = allowed
    .filter(({ kind }) => kind === 'distribution' || kind === 'component')
    .map(({ name, upstream }) => `${name} ${upstream.replace(/^(sha256:.{12}).*$/, '$1')}`);
  const others = [
    ...(allowed.some(({ kind }) => kind === 'tools') ? ['packages of the build tools'] : []),
    ...(allowed.some(({ kind }) => kind === 'lock') ? ['a lock that fits the recipe'] : []),
  ];
  const all = [...new Set([...named, ...others])].map((text) => text.replace(/[`\r\n<>@|]/g, ''));
  const shown = all.length > 4 ? [...all.slice(0, 4), `${all.length - 4} more`] : all;
  return shown.length === 0 ? 'Nothing new upstream' : `Newer upstream: ${shown.join(', ')}`;
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
