import type { MatrixView, Row, RowState } from '../release/matrix/types.ts';
import { bytesText } from '../support/progress.ts';
import { secondsText } from '../support/terminal.ts';
import { table } from './print.ts';

interface Output {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

const REDRAW_MS = 100;
const COLOURS: Readonly<Partial<Record<RowState, number>>> = {
  built: 32,
  present: 32,
  published: 32,
  same: 32,
  failed: 31,
  interrupted: 33,
};

const ENDED = new Set<RowState>(['built', 'present', 'published', 'same', 'failed', 'interrupted']);

/**
 * One table of the releases being built, redrawn in place on a terminal; piped, a line whenever a release comes to another state.
 * `stop` leaves the terminal's last picture away: the caller prints the table of results.
 */
export function releaseTable(options: {
  readonly output: Output;
  readonly live: boolean;
  readonly colour: boolean;
  readonly now?: () => number;
}): MatrixView & { stop(): void } {
  const { output, live, colour, now = Date.now } = options;
  const rows: Row[] = [];
  const shown = new Map<string, RowState>();
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;

  const erase = () => {
    if (drawn > 0) output.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = () => {
    const width = Math.max(20, (output.columns ?? 80) - 1);
    const lines = fitting(rows, (output.rows ?? 24) - 1, now()).map(({ text, state }) => {
      const line = text.slice(0, width);
      const code = state === undefined ? undefined : COLOURS[state];
      return colour && code !== undefined ? `\u001b[${code}m${line}\u001b[0m` : line;
    });
    output.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
  };

  return {
    changed(row) {
      if (!rows.includes(row)) rows.push(row);
      if (live) {
        timer ??= setInterval(() => {
          erase();
          draw();
        }, REDRAW_MS).unref();
        return;
      }
      if (shown.get(row.id) === row.state) return;
      shown.set(row.id, row.state);
      if (row.state === 'waiting') return;
      output.write(`${plainLine(row, now())}\n`);
    },
    said(row, line) {
      if (live) erase();
      output.write(`${row.id}: ${line}\n`);
      if (live) draw();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      if (live) erase();
    },
  };
}

function plainLine(row: Row, at: number): string {
  const parts = [`${row.id}: ${row.state}`];
  if (row.version !== undefined) parts.push(row.version);
  if (ENDED.has(row.state)) parts.push(...[row.note, timeOf(row, at)].filter((text) => text !== ''));
  return parts.join('  ');
}

/** The table's lines; where the terminal is too low for all, what runs and what failed goes before what waits and what is done. */
function fitting(rows: readonly Row[], height: number, at: number): { text: string; state?: RowState }[] {
  const lines = (taken: readonly Row[]) => {
    const text = table(taken.map((row) => [...cells(row, at)])).split('\n');
    return taken.map((row, index) => ({ text: text[index] ?? '', state: row.state }));
  };
  if (rows.length <= height) return lines(rows);
  const rank = ({ state }: Row) =>
    state === 'failed' ? 0 : state === 'waiting' ? 2 : ENDED.has(state) ? 3 : 1;
  const kept = new Set([...rows].sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(1, height - 1)));
  const done = rows.filter(({ state }) => ENDED.has(state)).length;
  return [
    ...lines(rows.filter((row) => kept.has(row))),
    { text: `... ${rows.length - kept.size} more; ${done} of ${rows.length} done` },
  ];
}

function cells(row: Row, at: number): readonly string[] {
  return [
    row.id,
    row.version ?? row.asked,
    row.architectures.join('+'),
    row.state,
    timeOf(row, at),
    row.note,
  ];
}

function timeOf({ began, ended }: Row, at: number): string {
  return began === undefined ? '' : secondsText((ended ?? at) - began);
}

/** What came of each release, for the end of `sextant release`. */
export function resultTable(rows: readonly Row[]): string {
  return table(
    rows.map((row) => [
      `  ${row.id}`,
      row.version ?? row.asked,
      row.state,
      row.release === undefined
        ? ''
        : row.release.images.map(({ architecture, size }) => `${architecture} ${bytesText(size)}`).join(', '),
      row.folder !== undefined && row.release !== undefined ? row.folder : row.note,
    ]),
  );
}
