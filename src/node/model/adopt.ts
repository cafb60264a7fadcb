import { wantTrial } from './change.ts';
import { type Decision, type Effect, type Refusal, refusal } from './effects.ts';
import { slotLinks } from './links.ts';
import type { Observation } from './observation.ts';
import { PREVIOUS_FILE, RECORD_FILE, RECORDS_FOLDER } from './paths.ts';
import { persist, recordFolders } from './persist.ts';
import {
  type DatastoreKind,
  DEFAULT_SETTINGS,
  type ExtensionFile,
  type Records,
  type Settings,
  type UsualSlot,
} from './types.ts';
import { title } from './words.ts';

export function emptyRecords(datastore: DatastoreKind, settings: Settings = DEFAULT_SETTINGS): Records {
  return {
    format: 1,
    counter: 0,
    wanted: null,
    generations: [],
    pins: [],
    boot: null,
    datastore: { kind: datastore, version: '', trial: null, restore: null },
    settings,
    retired: false,
    log: [],
    extra: {},
  };
}

export interface AdoptRequest {
  /** The set that is merged now, whole in the store. */
  readonly files: readonly ExtensionFile[];
  readonly kubernetes: string;
  readonly settings: Settings;
}

/**
 * The first records: what the activation (or a person) has merged on this boot is the first generation. It is not good before its
 * verdict, and not limited before something better is known. Records of a retired node are gone on from.
 */
export function adopt(
  records: Records | null,
  observation: Observation,
  { files, kubernetes, settings }: AdoptRequest,
): Decision | Refusal {
  if (observation.slot !== 'active' && observation.slot !== 'passive')
    return refusal(`this is a ${observation.slot} boot`, 'boot the installed system');
  if (records && !records.retired)
    return refusal('this node has records already', 'see: sextant-node status');
  const before = records
    ? { ...records, retired: false, settings }
    : emptyRecords(observation.datastore, settings);
  const { os, osName } = observation;
  const why = 'it was running when this node was adopted';
  const pair = { os, osName, files, kubernetes, snapshot: null, why };
  const wanted = wantTrial(before, pair, observation);
  const id = wanted.wanted as number;
  const generations = wanted.generations.map((one) =>
    one.id === id ? { ...one, state: 'trying' as const } : one,
  );
  const boot = {
    id: observation.bootId,
    slot: observation.slot as UsualSlot,
    os,
    generation: id,
    counted: false,
    outcome: 'open' as const,
  };
  const datastore = {
    ...wanted.datastore,
    kind: observation.datastore,
    version: wanted.datastore.version || kubernetes,
  };
  const after = { ...wanted, generations, boot, datastore };
  return {
    runs: id,
    why: `${title({ id, kubernetes, osName })} is the first generation; it is watched from now on`,
    records: after,
    effects: [...recordFolders(), ...persist(after, observation), ...slotLinks(after, observation)],
  };
}

/** Nothing of ours runs any more. What is recorded last is that it is over; then the record goes, and with it the last trace that decides. */
export function retire(records: Records, observation: Observation): Decision {
  const after = { ...records, retired: true, wanted: null };
  const effects: Effect[] = [
    ...persist(after, observation),
    ...slotLinks(after, observation),
    { do: 'run', action: { name: 'stop' } },
    { do: 'unlink', path: PREVIOUS_FILE },
    { do: 'sync-folder', path: RECORDS_FOLDER },
    { do: 'unlink', path: RECORD_FILE },
    { do: 'sync-folder', path: RECORDS_FOLDER },
  ];
  return { runs: null, why: 'retired: nothing of ours runs any more', records: after, effects };
}
