import { Failure } from './failure.ts';
import type { Host } from './host/host.ts';
import type { Observation } from './model/observation.ts';
import { PREVIOUS_FILE, RECORD_FILE, RUN_FOLDER } from './model/paths.ts';
import { loadRecords, type RecordProblem } from './model/records-text.ts';
import type { Records } from './model/types.ts';

/** What the record files say. */
export interface LoadedRecords {
  /** Null where there are none, or none that can be used: then `problem` says why. */
  readonly records: Records | null;
  readonly problem: RecordProblem | null;
  /** That the copy before the last change is used, for people; or null. */
  readonly note: string | null;
  readonly recordFile: Observation['recordFile'];
}

/** Reads the records, the previous copy where the newest is damaged. A file that cannot be read counts as damaged. */
export function readRecords(host: Host): LoadedRecords {
  const text = (path: string) => {
    try {
      return host.readText(path, 4 * 1024 * 1024);
    } catch {
      return '';
    }
  };
  const { parsed, note } = loadRecords(
    { path: RECORD_FILE, text: text(RECORD_FILE) },
    { path: PREVIOUS_FILE, text: text(PREVIOUS_FILE) },
  );
  if (!parsed.ok) return { records: null, problem: parsed, note, recordFile: 'other' };
  return { records: parsed.records, problem: null, note, recordFile: note === null ? 'whole' : 'other' };
}

/** The records of a node that has some. Throws `input` where there are none or none that can be used. */
export function requireRecords(host: Host): LoadedRecords & { readonly records: Records } {
  const loaded = readRecords(host);
  if (loaded.records) return { ...loaded, records: loaded.records };
  throw new Failure('input', loaded.problem?.message ?? 'no records', loaded.problem?.hint);
}

/** Calls `work` as the only sextant-node that changes anything. Throws `busy` when another one does for longer than `waitSeconds`. */
export function exclusively<T>(host: Host, waitSeconds: number, work: () => T): T {
  return withLock(host, { name: 'node.lock', waitSeconds, busy: 'at work' }, work);
}

/** What one sextant-node at a time may do. */
export interface NodeLock {
  /** File in /run/sextant. */
  readonly name: string;
  readonly waitSeconds: number;
  /** What another one is at, for people. */
  readonly busy: string;
}

/** Calls `work` with a lock held. Throws `busy` when another sextant-node has it for longer than `waitSeconds`. */
export function withLock<T>(host: Host, { name, waitSeconds, busy }: NodeLock, work: () => T): T {
  host.mkdir(RUN_FOLDER, 0o755);
  const lock = host.lock(`${RUN_FOLDER}/${name}`, waitSeconds);
  if (!lock)
    throw new Failure(
      'busy',
      `another sextant-node is ${busy}`,
      'try again when it has finished; see: ps -C sextant-node',
    );
  try {
    return work();
  } finally {
    lock.release();
  }
}
