import { crc32c } from './crc32c.ts';
import { knownFields, recordProblems } from './records-check.ts';
import type { Records } from './types.ts';

/** Why a record file cannot be used. `damaged`: its bytes are not what was written. `unknown-format`: a newer sextant-node wrote it. */
export interface RecordProblem {
  readonly ok: false;
  readonly code: 'missing' | 'damaged' | 'unknown-format' | 'invalid';
  readonly message: string;
  readonly hint: string;
}
export type ParsedRecords = { readonly ok: true; readonly records: Records } | RecordProblem;

const ANEW =
  'what is linked runs and nothing goes back by itself; begin anew with what runs now: sextant-node adopt --anew';

const HEAD = /^\{"format":(\d+),"crc32c":"([0-9a-f]{8})","records":/;

/** The file's text: one line of JSON whose checksum covers the exact bytes of its `records` member. */
export function recordsText(records: Records): string {
  const { format, extra, ...known } = records;
  const body = JSON.stringify({ ...known, ...extra });
  return `{"format":${format},"crc32c":"${crc32c(body)}","records":${body}}\n`;
}

/** Reads what recordsText wrote, now or in an earlier version; `path` is for the message. Never throws. */
export function parseRecords(text: string, path: string): ParsedRecords {
  const problem = (code: RecordProblem['code'], what: string, hint: string): RecordProblem => ({
    ok: false,
    code,
    message: `${path}: ${what}`,
    hint,
  });
  const restore = 'the copy before the last change is used when it is whole; see: sextant-node status';
  const head = HEAD.exec(text);
  if (!head) return problem('damaged', 'not a record of generations, or one cut short', restore);
  if (head[1] !== '1')
    return problem(
      'unknown-format',
      `record format ${head[1]}; this sextant-node knows format 1`,
      'run the newer sextant-node that wrote it',
    );
  const body = text.slice(head[0].length, -2);
  if (!text.endsWith('}\n') || crc32c(body) !== head[2])
    return problem('damaged', 'its checksum does not match its content', restore);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return problem('invalid', 'its checksum matches, but it is not JSON', restore);
  }
  const problems = recordProblems(value);
  if (problems.length > 0) return problem('invalid', problems.join('; '), restore);
  return { ok: true, records: knownFields(value as Record<string, unknown>) };
}

/**
 * The records to decide by, from the texts of RECORD_FILE and PREVIOUS_FILE (undefined: no such file). The previous one takes the place of
 * a missing or damaged one, with `note` saying so; a format from the future is never overwritten, so it is a problem whatever else is there.
 */
export function loadRecords(
  current: { readonly path: string; readonly text: string | undefined },
  previous: { readonly path: string; readonly text: string | undefined },
): { readonly parsed: ParsedRecords; readonly note: string | null } {
  const missing = (path: string): RecordProblem => ({
    ok: false,
    code: 'missing',
    message: `${path}: no such file`,
    hint: 'run: sextant-node adopt',
  });
  const first = current.text === undefined ? missing(current.path) : parseRecords(current.text, current.path);
  if (first.ok || first.code === 'unknown-format') return { parsed: first, note: null };
  if (previous.text === undefined)
    return { parsed: first.code === 'missing' ? first : { ...first, hint: ANEW }, note: null };
  const second = parseRecords(previous.text, previous.path);
  if (!second.ok)
    return { parsed: second.code === 'unknown-format' ? second : neither(first, second), note: null };
  return { parsed: second, note: `${first.message}; going on from ${previous.path}` };
}

function neither(first: RecordProblem, second: RecordProblem): RecordProblem {
  const message = `${first.message}; ${second.message}`;
  return { ...first, code: first.code === 'missing' ? second.code : first.code, message, hint: ANEW };
}
