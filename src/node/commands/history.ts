import { type Command, JSON_OPTION } from '../cli/command.ts';
import type { Records } from '../model/types.ts';
import { requireRecords } from '../records-file.ts';
import { requireRoot } from '../session.ts';
import { printable, timeText, wrap } from './text.ts';

interface HistoryEntry {
  readonly at: string;
  readonly text: string;
}

/** The log and every health result, in the order they were written; a clock that was wrong does not reorder the log. */
export function historyOf(records: Records): HistoryEntry[] {
  const health = records.generations.flatMap(({ id, health: entries }) =>
    entries.map(({ at, result, detail }) => ({ at, text: `generation ${id}: health ${result}: ${detail}` })),
  );
  const merged: HistoryEntry[] = [];
  const waiting = health.sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
  for (const entry of records.log) {
    while (waiting[0] !== undefined && waiting[0].at <= entry.at)
      merged.push(waiting.shift() as HistoryEntry);
    merged.push(entry);
  }
  return [...merged, ...waiting];
}

/** What happened on this node. */
export const history: Command = {
  name: 'history',
  summary: 'what happened, oldest first',
  words: [],
  options: [JSON_OPTION],
  run({ host, options }) {
    requireRoot(host, 'history');
    const entries = historyOf(requireRecords(host).records);
    const text = entries.map(({ at, text: said }) => wrap(printable(`${timeText(at)}  ${said}`), '    '));
    host.out(options.has('json') ? `${JSON.stringify(entries, null, 2)}\n` : text.join(''));
    return 0;
  },
};
