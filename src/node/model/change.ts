import type { Observation } from './observation.ts';
import {
  type Boot,
  type ExtensionFile,
  type Generation,
  type GenerationState,
  HEALTH_KEPT,
  type HealthEntry,
  LOG_KEPT,
  type OsIdentity,
  type Records,
} from './types.ts';

/** Small pure changes that the transitions are made of. */

export function generation(records: Records, id: number | null): Generation | undefined {
  return records.generations.find((candidate) => candidate.id === id);
}

/** What tells one extension set from another, whatever the order of its files. */
export function setKey(files: readonly ExtensionFile[]): string {
  return files
    .map(({ sha256 }) => sha256)
    .sort()
    .join(' ');
}

export function pairOf(
  records: Records,
  os: OsIdentity,
  files: readonly ExtensionFile[],
): Generation | undefined {
  const key = setKey(files);
  return records.generations.find((candidate) => candidate.os === os && setKey(candidate.files) === key);
}

/** The records with some fields of one generation replaced. */
export function edit(records: Records, id: number, fields: Partial<Omit<Generation, 'id'>>): Records {
  const generations = records.generations.map((old) => (old.id === id ? { ...old, ...fields } : old));
  return { ...records, generations };
}

/** A change of state with its reason, in the generation and in the log. */
export function setState(
  records: Records,
  id: number,
  state: GenerationState,
  why: string,
  now: string,
): Records {
  return note(edit(records, id, { state, why, changed: now }), `generation ${id}: ${why}`, now);
}

export function note(records: Records, text: string, now: string): Records {
  return { ...records, log: [...records.log, { at: now, text }].slice(-LOG_KEPT) };
}

export function addHealth(records: Records, id: number, entry: HealthEntry): Records {
  const old = generation(records, id);
  return old ? edit(records, id, { health: [...old.health, entry].slice(-HEALTH_KEPT) }) : records;
}

export function forget(records: Records, id: number): Records {
  return {
    ...records,
    generations: records.generations.filter((old) => old.id !== id),
    wanted: records.wanted === id ? null : records.wanted,
  };
}

export interface NewPair {
  readonly os: OsIdentity;
  readonly osName: string;
  readonly files: readonly ExtensionFile[];
  readonly kubernetes: string;
  readonly snapshot: string | null;
  readonly why: string;
}

/**
 * The pair put on trial and wanted. One that is on trial for something else gives up its place: it is forgotten, unless it was good once.
 * A pair that is known already starts again with all its tries and keeps its history.
 */
export function wantTrial(records: Records, pair: NewPair, observation: Observation): Records {
  const known = pairOf(records, pair.os, pair.files);
  const before =
    records.wanted === null || records.wanted === known?.id
      ? records
      : setAside(records, observation.now, 'another pair is wanted now');
  const id = known?.id ?? before.counter + 1;
  const trial: Generation = {
    ...pair,
    id,
    state: 'new',
    tries: 0,
    turn: known?.turn ?? 0,
    slot: observation.slot === 'passive' ? 'passive' : 'active',
    configuration: observation.configuration,
    created: known?.created ?? observation.now,
    changed: observation.now,
    health: known?.health ?? [],
  };
  const others = before.generations.filter((old) => old.id !== id);
  const boot = before.boot?.generation === id ? begunAgain(before.boot) : before.boot;
  return note(
    { ...before, counter: Math.max(before.counter, id), wanted: id, generations: [...others, trial], boot },
    `generation ${id}: ${pair.why}`,
    observation.now,
  );
}

/** The tries start again, so this boot's is no longer among them, and a verdict against the pair no longer stands: it may bring another. */
function begunAgain(boot: Boot): Boot {
  return { ...boot, counted: false, outcome: boot.outcome === 'bad' ? 'open' : boot.outcome };
}

/** Without a verdict yet. */
export function isOpen({ state }: Generation): boolean {
  return state === 'new' || state === 'trying';
}

/**
 * Nothing is on trial any more. A pair without a verdict is forgotten: another trial of it starts from nothing; one
 * that was good once is superseded again.
 */
export function setAside(records: Records, now: string, why: string): Records {
  const trial = generation(records, records.wanted);
  if (!trial) return { ...records, wanted: null };
  const open = isOpen(trial);
  const without = !open
    ? { ...records, wanted: null }
    : trial.turn === 0
      ? forget(records, trial.id)
      : { ...edit(records, trial.id, { state: 'superseded', why }), wanted: null };
  return note(without, `generation ${trial.id} is set aside: ${why}`, now);
}
