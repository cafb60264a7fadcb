import type { Datastore, Generation, Records } from './types.ts';

/** Major and minor of a Kubernetes version as one comparable number, `v1.33.4+k3s1` is 1033; -1 for what is not a version. */
export function minor(version: string): number {
  const match = /^v?(\d+)\.(\d+)/.exec(version);
  return match ? Number(match[1]) * 1000 + Number(match[2]) : -1;
}

/** What has to happen to the datastore before a pair may run on it. `no`: it must not run on what the datastore has become. */
export type Fit = 'as-it-is' | 'restore' | 'no';

/**
 * Whether `pair` may run on the datastore. A trial that crossed a minor version may have changed it; going back then restores the snapshot
 * taken before, by itself only on a single server with the embedded datastore. Going back behind a version that became good is never done
 * by itself: everything written since would be lost.
 */
export function fit(pair: Generation, datastore: Datastore): Fit {
  if (datastore.kind === 'agent' || datastore.kind === 'none') return 'as-it-is';
  const own = minor(pair.kubernetes);
  if (own < minor(datastore.version)) return 'no';
  if (datastore.restore !== null) return 'as-it-is'; // the snapshot is of `version`
  if (datastore.trial === null || own >= minor(datastore.trial.version)) return 'as-it-is';
  return datastore.kind === 'single' && datastore.trial.snapshot !== null ? 'restore' : 'no';
}

/**
 * The records before `pair` starts on the datastore: what has to be put back first, and what the pair may change. A pair that was good
 * before makes its version the one that counts: nothing goes back behind it by itself. While a restore is pending nothing else is recorded.
 */
export function beforeStart(records: Records, pair: Generation): Records {
  const { datastore } = records;
  if (datastore.kind === 'agent' || datastore.kind === 'none') return records;
  if (datastore.restore !== null) return records;
  if (datastore.trial && fit(pair, datastore) === 'restore') {
    return { ...records, datastore: { ...datastore, trial: null, restore: datastore.trial.snapshot } };
  }
  const reached = Math.max(minor(datastore.version), minor(datastore.trial?.version ?? ''));
  if (datastore.version === '' || minor(pair.kubernetes) <= reached) return records;
  const { id, kubernetes, snapshot, state } = pair;
  const proven = state === 'good' || state === 'superseded';
  const trial = proven ? null : { generation: id, version: kubernetes, snapshot };
  return { ...records, datastore: { ...datastore, version: proven ? kubernetes : datastore.version, trial } };
}

/** True when starting `pair` changes nothing about the datastore that would have to be recorded first. */
export function startsUnrecorded(records: Records, pair: Generation): boolean {
  return records.datastore.restore === null && beforeStart(records, pair) === records;
}

/** After the snapshot has been put back, before `pair` starts on it. */
export function restored(records: Records, pair: Generation): Records {
  return beforeStart({ ...records, datastore: { ...records.datastore, restore: null } }, pair);
}

/** After `pair` became good: what it made of the datastore is what counts from now on. */
export function settled(records: Records, pair: Generation): Records {
  const { datastore } = records;
  const newer = minor(pair.kubernetes) > minor(datastore.version);
  const version = newer || datastore.version === '' ? pair.kubernetes : datastore.version;
  const trial = datastore.trial && minor(datastore.trial.version) > minor(version) ? datastore.trial : null;
  return { ...records, datastore: { ...datastore, version, trial } };
}
