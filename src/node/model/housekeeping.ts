import { generation, isOpen, note } from './change.ts';
import { type Decision, type Effect, type Refusal, refusal } from './effects.ts';
import type { Observation } from './observation.ts';
import { SNAPSHOTS_FOLDER, STORE_FOLDER } from './paths.ts';
import { persist } from './persist.ts';
import { prune } from './prune.ts';
import type { Generation, Records } from './types.ts';
import { title } from './words.ts';

export function pin(records: Records, observation: Observation, id: number): Decision | Refusal {
  const pair = generation(records, id);
  if (!pair) return refusal(`no generation ${id}`, 'see: sextant-node status');
  if (records.pins.includes(id)) return same(records, `${title(pair)} is pinned already`);
  const why = `${title(pair)} is pinned: its files stay, and no upgrade replaces it`;
  return changed({ ...records, pins: [...records.pins, id] }, why, observation);
}

export function unpin(records: Records, observation: Observation, id: number): Decision | Refusal {
  if (!records.pins.includes(id))
    return refusal(`generation ${id} is not pinned`, 'see: sextant-node status');
  const pins = records.pins.filter((pinned) => pinned !== id);
  return changed({ ...records, pins }, `generation ${id} is no longer pinned`, observation);
}

/** What is in the store and among the snapshots, for `collect`. */
export interface Stored {
  /** Digest folders of our part of the store, with the names in each. */
  readonly folders: Readonly<Record<string, readonly string[]>>;
}

/** Pairs whose files stay: what is wanted, pinned or running, every good pair, and what may still be needed to judge. */
export function protectedPairs(records: Records): readonly Generation[] {
  const keep = (pair: Generation) =>
    isOpen(pair) ||
    pair.state === 'good' ||
    pair.id === records.wanted ||
    pair.id === records.boot?.generation ||
    records.pins.includes(pair.id);
  return records.generations.filter(keep);
}

/** Digests whose files stay, linked ones included: something may have them open. */
export function protectedDigests(records: Records, observation: Observation): ReadonlySet<string> {
  const linked = [observation.enabled, observation.links.active, observation.links.passive]
    .flatMap(Object.values)
    .map((target: string) => /\/sextant\/([0-9a-f]{64})\//.exec(target)?.[1] ?? '');
  const named = protectedPairs(records).flatMap(({ files }) => files.map(({ sha256 }) => sha256));
  return new Set([...named, ...linked]);
}

/**
 * Removes files that nothing protected names. Superseded generations whose files go are forgotten first, durably, and so is what `prune`
 * forgets.
 */
export function collect(records: Records, observation: Observation, { folders }: Stored): Decision {
  const kept = prune(records, observation);
  const left = kept.generations;
  const keep = protectedDigests(kept, observation);
  const without = (pair: Generation) =>
    pair.state === 'superseded' &&
    pair.id !== records.boot?.generation &&
    !records.pins.includes(pair.id) &&
    !pair.files.every(({ sha256 }) => keep.has(sha256));
  const after = { ...kept, generations: left.filter((pair) => !without(pair)) };
  const digests = Object.keys(folders).filter((digest) => !keep.has(digest));
  const forgot = records.generations.length - after.generations.length;
  if (digests.length + forgot === 0) return same(records, 'nothing can be removed');
  const why = `${digests.length} extension ${digests.length === 1 ? 'file' : 'files'} removed, ${forgot} old generations forgotten`;
  const first = forgot > 0 ? persist(note(after, why, observation.now), observation) : [];
  const removals = digests.flatMap((digest): Effect[] => [
    ...(folders[digest] ?? []).map(
      (name) => ({ do: 'unlink', path: `${STORE_FOLDER}/${digest}/${name}` }) as const,
    ),
    { do: 'remove-folder', path: `${STORE_FOLDER}/${digest}` },
  ]);
  const sync: Effect[] = digests.length > 0 ? [{ do: 'sync-folder', path: STORE_FOLDER }] : [];
  const noted = forgot > 0 ? note(after, why, observation.now) : records;
  return {
    runs: records.boot?.generation ?? null,
    why,
    records: noted,
    effects: [...first, ...removals, ...sync],
  };
}

/** Snapshots that nothing can go back to any more; paths to be removed by whoever knows how they are laid out. */
export function unneededSnapshots(records: Records, names: readonly string[]): readonly string[] {
  const { trial, restore } = records.datastore;
  const needed = new Set([trial?.snapshot, restore, ...records.generations.map(({ snapshot }) => snapshot)]);
  return names.filter((name) => !needed.has(name)).map((name) => `${SNAPSHOTS_FOLDER}/${name}`);
}

function changed(records: Records, why: string, observation: Observation): Decision {
  const after = note(records, why, observation.now);
  return { runs: after.boot?.generation ?? null, why, records: after, effects: persist(after, observation) };
}

function same(records: Records, why: string): Decision {
  return { runs: records.boot?.generation ?? null, why, records, effects: [] };
}
