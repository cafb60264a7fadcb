import type { Observation } from './observation.ts';
import type { Generation, Records } from './types.ts';

/** Superseded pairs remembered for each operating system, and bad ones: the record must not grow for ever. */
const SUPERSEDED_KEPT = 1;
const BAD_KEPT = 8;

/**
 * Forgets what can decide nothing any more: pairs of operating systems that no slot has, except the newest good one of all (an extension
 * that is known to work may be needed for the next operating system), and old superseded and bad ones. The log still tells of them.
 */
export function prune(records: Records, observation: Observation): Records {
  const gone = isGone(records, observation);
  const newer = (pair: Generation) =>
    records.generations.filter(
      (other) => other.os === pair.os && other.state === pair.state && isNewer(other, pair),
    ).length;
  const old = (pair: Generation) =>
    (pair.state === 'superseded' && newer(pair) >= SUPERSEDED_KEPT) ||
    (pair.state === 'bad' && newer(pair) >= BAD_KEPT);
  const generations = records.generations.filter(
    (pair) => isHeld(records, pair) || !(gone(pair) || old(pair)),
  );
  return generations.length === records.generations.length ? records : { ...records, generations };
}

function isNewer(left: Generation, right: Generation): boolean {
  return left.turn > right.turn || (left.turn === right.turn && left.id > right.id);
}

function isHeld(records: Records, { id }: Generation): boolean {
  return id === records.wanted || id === records.boot?.generation || records.pins.includes(id);
}

/** Of an operating system that is in no slot; nothing is, while a slot cannot be read. */
function isGone(records: Records, { os, installed }: Observation): (pair: Generation) => boolean {
  if (installed === null) return () => false;
  const good = records.generations.filter(({ state }) => state === 'good');
  const newest = good.sort((left, right) => right.turn - left.turn)[0];
  return (pair) => pair.os !== os && !installed.includes(pair.os) && pair !== newest;
}
