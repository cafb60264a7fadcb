import type { SextantError } from '../support/errors.ts';
import { terminalProgress } from '../support/terminal.ts';

/** Whether to write colours and redraw on a stream: only on a terminal, and never with NO_COLOR (no-color.org). */
export function decorated(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

/** An error for a person: one line what is wrong and where, its details, one line what to do. */
export function printError(error: SextantError, options: { debug: boolean }): void {
  const red = decorated(process.stderr)
    ? (text: string) => `\u001b[31m${text}\u001b[0m`
    : (text: string) => text;
  const lines = [`${red('error:')} ${error.message}`];
  if (error.details !== undefined) lines.push(...error.details.split('\n').map((line) => `  ${line}`));
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  if (options.debug && error.stack !== undefined) lines.push(error.stack);
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** Progress on stderr, drawn live on a terminal. */
export function stderrProgress() {
  const live = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  return terminalProgress({ output: process.stderr, live, colour: decorated(process.stderr) });
}

/** Control characters as \\u{..}: names out of a foreign image must not steer the terminal. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}

/** A table with aligned columns, without trailing spaces or control characters; columns named in `right` are aligned right. */
export function table(cells: readonly (readonly string[])[], right: readonly number[] = []): string {
  const rows = cells.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
