import { generation, isOpen, pairOf } from './change.ts';
import { fit, startsUnrecorded } from './datastore.ts';
import type { Observation } from './observation.ts';
import type { ExtensionFile, Generation, OsIdentity, Records } from './types.ts';

/** Which pair a boot of an operating system runs, by the table of the design: first match wins. Nothing is counted or changed here. */
export type Choice =
  /** The wanted pair, or a set that is good elsewhere as a new pair with this operating system; `limited`: a try is counted. */
  | { readonly kind: 'trial'; readonly pair: Generation; readonly limited: boolean }
  | {
      readonly kind: 'new-trial';
      readonly of: Generation;
      readonly limited: boolean;
    }
  | { readonly kind: 'good'; readonly pair: Generation }
  | { readonly kind: 'other-slot'; readonly pair: Generation }
  /** Nothing better is left; without limit. */
  | { readonly kind: 'last-resort'; readonly pair: Generation }
  | { readonly kind: 'last-resort-new'; readonly of: Generation }
  | { readonly kind: 'nothing' };

/** All files of the set are in the store. */
export function isWhole(files: readonly ExtensionFile[], observation: Observation): boolean {
  return files.every(({ sha256 }) => observation.whole.includes(sha256));
}

function newestFirst(left: Generation, right: Generation): number {
  return right.turn - left.turn || right.id - left.id;
}

/** Pairs that were good with one operating system (`of`) or with any other one, the newest good one first, superseded ones last. */
function proven(
  records: Records,
  observation: Observation,
  of: (os: OsIdentity) => boolean,
): readonly Generation[] {
  const usable = records.generations.filter(
    (pair) => of(pair.os) && isWhole(pair.files, observation) && fit(pair, records.datastore) !== 'no',
  );
  return [
    ...usable.filter(({ state }) => state === 'good').sort(newestFirst),
    ...usable.filter(({ state }) => state === 'superseded').sort(newestFirst),
  ];
}

/** The other slot's pair that was good, when that slot would run it. */
export function otherSlotPair(records: Records, observation: Observation): Generation | undefined {
  const os = observation.other?.os ?? null;
  if (os === null || os === observation.os) return undefined;
  return proven(records, observation, (one) => one === os)[0];
}

export function choose(records: Records, observation: Observation): Choice {
  const here = proven(records, observation, (os) => os === observation.os)[0];
  const elsewhere = proven(records, observation, (os) => os !== observation.os).find(
    ({ files }) => pairOf(records, observation.os, files)?.state !== 'bad',
  );
  const otherSlot = otherSlotPair(records, observation);
  const wanted = generation(records, records.wanted);
  const trial = wanted && mayBeTried(wanted, records, observation) ? wanted : undefined;

  if (trial) {
    const better = [here, otherSlot, elsewhere].some((pair) => pair !== undefined && !sameSet(pair, trial));
    const limited = better || otherSlot !== undefined;
    const left = trial.tries < records.settings.tries;
    const countable = observation.writable || (!limited && startsUnrecorded(records, trial));
    if ((left || !limited) && countable && fit(trial, records.datastore) !== 'no') {
      return { kind: 'trial', pair: trial, limited };
    }
  }
  const able = (pair: Generation) => observation.writable || startsUnrecorded(records, pair);
  if (here) return able(here) ? { kind: 'good', pair: here } : { kind: 'nothing' };
  const failedHere = records.generations.some(
    (pair) =>
      pair.os === observation.os &&
      (pair.state === 'bad' || (pair === trial && hasHadItsTries(pair, records))),
  );
  if (otherSlot && (failedHere || !observation.writable)) return { kind: 'other-slot', pair: otherSlot };
  if (elsewhere && able(elsewhere) && !(trial && sameSet(elsewhere, trial))) {
    return { kind: 'new-trial', of: elsewhere, limited: otherSlot !== undefined };
  }
  return lastResort(records, observation, wanted);
}

function mayBeTried(wanted: Generation, records: Records, observation: Observation): boolean {
  return (
    isOpen(wanted) &&
    wanted.os === observation.os &&
    (wanted.slot === observation.slot || !hasGood(records, observation)) &&
    isWhole(wanted.files, observation)
  );
}

function hasGood(records: Records, observation: Observation): boolean {
  return proven(records, observation, (os) => os === observation.os).length > 0;
}

export function hasHadItsTries(pair: Generation, records: Records): boolean {
  return isOpen(pair) && pair.tries >= records.settings.tries;
}

function sameSet(left: Generation, right: Generation): boolean {
  return left.files.every(({ sha256 }) => right.files.some((file) => file.sha256 === sha256));
}

/** Nothing is good that could run here: the wanted pair, else any of this operating system, else any set at all. */
function lastResort(records: Records, observation: Observation, wanted: Generation | undefined): Choice {
  const order = [...records.generations].sort(
    (left, right) => Number(right === wanted) - Number(left === wanted) || newestFirst(left, right),
  );
  const able = order.filter(
    (pair) =>
      isWhole(pair.files, observation) &&
      fit(pair, records.datastore) !== 'no' &&
      (observation.writable || startsUnrecorded(records, pair)),
  );
  const here = able.find(({ os }) => os === observation.os);
  if (here) return { kind: 'last-resort', pair: here };
  const any = able[0];
  return any ? { kind: 'last-resort-new', of: any } : { kind: 'nothing' };
}
