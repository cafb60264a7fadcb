import type { Effect } from './effects.ts';
import type { Observation } from './observation.ts';
import {
  folderOf,
  NEW_FILE,
  NEW_PREVIOUS_FILE,
  PREVIOUS_FILE,
  RECORD_FILE,
  RECORDS_FOLDER,
} from './paths.ts';
import { recordsText } from './records-text.ts';
import type { Records } from './types.ts';

/**
 * Makes the records durable: after the last effect they survive any crash, before it the old ones or the new ones are there, whole. The old
 * file gets a second name first, so what is read when the new one is damaged later has been synced long ago. A file that was not whole
 * never takes the previous one's place.
 */
export function persist(records: Records, { recordFile }: Pick<Observation, 'recordFile'>): Effect[] {
  const keep: Effect[] = [
    { do: 'unlink', path: NEW_PREVIOUS_FILE },
    { do: 'hard-link', from: RECORD_FILE, to: NEW_PREVIOUS_FILE },
    { do: 'rename', from: NEW_PREVIOUS_FILE, to: PREVIOUS_FILE },
  ];
  return [
    { do: 'write', path: NEW_FILE, text: recordsText(records) },
    { do: 'sync-file', path: NEW_FILE },
    ...(recordFile === 'whole' ? keep : []),
    { do: 'rename', from: NEW_FILE, to: RECORD_FILE },
    { do: 'sync-folder', path: RECORDS_FOLDER },
  ];
}

/** The folders of the records, for the first time. */
export function recordFolders(): Effect[] {
  const home = folderOf(RECORDS_FOLDER);
  const parent = folderOf(home);
  return [
    { do: 'make-folder', path: home },
    { do: 'sync-folder', path: parent },
    { do: 'make-folder', path: RECORDS_FOLDER },
    { do: 'sync-folder', path: home },
  ];
}
