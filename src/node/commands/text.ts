/** Width of the plainest terminal. */
export const WIDTH = 80;

/** A paragraph in lines of at most `WIDTH` characters; its own leading spaces stay, `indent` is in front of all other lines. */
export function wrap(text: string, indent = ''): string {
  const [leading = ''] = /^ */.exec(text) ?? [];
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(' ')) {
    const margin = lines.length === 0 ? leading : indent;
    if (line === '') line = margin + word;
    else if (line.length + 1 + word.length <= WIDTH || line.trim() === '-') line += ` ${word}`;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line].map((one) => `${one}\n`).join('');
}

/** Columns as wide as their widest cell, two spaces between; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

/** `2026-11-22 10:05 UTC` of a time in ISO 8601; anything else as it is. */
export function timeText(iso: string): string {
  const [, day, minute] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):[\d.]+Z$/.exec(iso) ?? [];
  return day === undefined ? iso : `${day} ${minute} UTC`;
}

/** What came from files and servers, for a terminal: no control characters. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?');
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
