import type { Decision } from '../../../../src/node/model/effects.ts';
import { STORE_FOLDER } from '../../../../src/node/model/paths.ts';
import type { Generation, Records } from '../../../../src/node/model/types.ts';
import type { Node, World } from './boot.ts';
import { osOf, setOfPair } from './canonical.ts';
import { Violation } from './core.ts';
import { minorOf, setOf } from './facts.ts';
import { provenPairs, type State } from './state.ts';

/** I1-I5, said in the world's own words: nothing here calls the core. I1 is in promise.ts, parts of I5 where things run. */

/** The pair can run now: whole, and on the datastore as it is or as it can be put back. */
export function runnable(
  world: World,
  records: Records,
  state: State,
  pair: Generation,
  writable = true,
): boolean {
  const set = setOfPair(pair);
  if (!(state.store & (1 << set))) return false;
  // A newer good version that was recorded as starting may have run: nobody can tell after a crash.
  if (
    world.scope.datastore !== 'agent' &&
    minorOf(set) === 0 &&
    records.datastore.version.startsWith('v1.34')
  )
    return false;
  // Nor does it go back by itself behind a trial that may have started, where it has no snapshot of its own to put back.
  const { trial: begun } = records.datastore;
  if (begun !== null && minorOf(set) === 0 && world.scope.datastore === 'several') return false;
  const waits = !writable && (records.datastore.restore !== null || records.datastore.trial !== null);
  if (world.scope.datastore === 'agent' || (!waits && minorOf(set) >= state.data)) return true;
  if (!writable) return false;
  const { restore, trial } = records.datastore;
  return restore === 'm0' || (world.scope.datastore === 'single' && trial?.snapshot === 'm0');
}

export function good(records: Records): readonly Generation[] {
  return records.generations.filter(({ state }) => state === 'good' || state === 'superseded');
}

/** What a boot runs, and what it was decided from. */
export interface Choice {
  readonly world: World;
  /** The records before the decision. */
  readonly before: Records;
  readonly after: State;
  readonly node: Node;
  /** Set that runs; negative: none. */
  readonly runs: number;
  /** False on a full disk. */
  readonly writable: boolean;
}

/** I2: a pair that was not good runs only where no good one could, or on the trial that was asked for in this slot, a counted one. */
function checkFallback({ world, before, after, node, runs, writable }: Choice): void {
  const here = good(before).filter(
    (pair) => osOf(pair) === node.os && runnable(world, before, after, pair, writable),
  );
  // On a full disk nothing may run that would change the datastore behind the records' back.
  if (!writable && runs < 0 && world.scope.datastore !== 'agent') return;
  if (here.length === 0 || here.some((pair) => setOfPair(pair) === runs)) return;
  const records = after.record >= 0 ? world.interned.get(after.record) : before;
  const trial = before.generations.find(({ id }) => id === before.wanted);
  const isTrial = trial !== undefined && osOf(trial) === node.os && setOfPair(trial) === runs;
  if (!isTrial || trial.slot !== node.slot || !['new', 'trying'].includes(trial.state))
    throw new Violation(
      'I2',
      `${runs < 0 ? 'nothing' : 'a pair that was not good'} runs although a good one is there`,
    );
  if (trial.tries >= world.scope.tries) throw new Violation('I1', 'a trial goes on after its tries');
  const counted = records.generations.find((pair) => osOf(pair) === node.os && setOfPair(pair) === runs);
  if (counted?.tries !== trial.tries + 1)
    throw new Violation('I1', 'a trial runs and its try is not counted');
}

/** All that holds for what a boot runs. */
export function checkChoice(choice: Choice): void {
  checkFallback(choice);
  checkNotNothing(choice);
  checkNewest(choice);
}

/** First: a node that could run something runs something; nothing is given up for nothing. */
function checkNotNothing({ world, before, after, node, runs, writable }: Choice): void {
  if (runs >= 0 || !writable || after.data > 1) return;
  const reached = Math.max(after.data, minorOf(before.datastore.version.startsWith('v1.34') ? 2 : 0));
  const able = before.generations.filter(
    (pair) =>
      osOf(pair) === node.os &&
      after.store & (1 << setOfPair(pair)) &&
      runnable(world, before, after, pair) &&
      (world.scope.datastore === 'agent' || minorOf(setOfPair(pair)) >= reached),
  );
  if (able.length > 0) throw new Violation('first', 'nothing runs although something could');
}

/** Newest: of the pairs that were good, the one that became so last by the counter, whatever the stamps say. */
function checkNewest({ world, before, after, node, runs }: Choice): void {
  const able = good(before).filter((pair) => runnable(world, before, after, pair));
  const order = (left: Generation, right: Generation) =>
    Number(right.state === 'good') - Number(left.state === 'good') || right.turn - left.turn;
  const trial = before.generations.find(({ id }) => id === before.wanted);
  if (runs < 0 || (trial && osOf(trial) === node.os && setOfPair(trial) === runs)) return;
  const here = able.filter((pair) => osOf(pair) === node.os).sort(order);
  const bad = before.generations
    .filter((pair) => osOf(pair) === node.os && pair.state === 'bad')
    .map(setOfPair);
  const elsewhere = able
    .filter((pair) => osOf(pair) !== node.os && !bad.includes(setOfPair(pair)))
    .sort(order);
  const expected = here[0] ?? elsewhere[0];
  if (
    expected &&
    able.some((pair) => setOfPair(pair) === runs) &&
    setOfPair(expected) !== runs &&
    !bad.includes(runs)
  )
    throw new Violation('newest', 'an older good pair runs although a newer one could');
}

/** Fair: a pair becomes bad by its own verdict or its own tries. */
function checkFair(world: World, before: Records, after: Records): void {
  for (const pair of after.generations) {
    const old = before.generations.find((one) => one.os === pair.os && setOfPair(one) === setOfPair(pair));
    if (pair.state !== 'bad' || !old || old.state === 'bad') continue;
    const hadIts = old.state === 'trying' && old.tries >= world.scope.tries;
    if (!hadIts && before.boot?.generation !== old.id)
      throw new Violation('fair', 'a pair is condemned for what another one did');
  }
}

/** I1: a node that is still on the pair of its bad verdict goes on trying to leave it, while a good one of this system could run. */
export function checkLeaves(
  world: World,
  before: Records,
  state: State,
  node: Node,
  { effects }: Decision,
): void {
  const running = before.generations.find(({ id }) => id === before.boot?.generation);
  if (before.boot?.outcome !== 'bad' || !running || setOfPair(running) !== node.runs) return;
  if (!good(before).some((pair) => osOf(pair) === node.os && runnable(world, before, state, pair))) return;
  const last = effects.at(-1);
  if (last?.do !== 'run' || !['reboot', 'boot-other-slot'].includes(last.action.name))
    throw new Violation('I1', 'the node stays on a pair that is bad');
}

/** I3 for the effects of one decision. */
export function checkDecision(world: World, before: Records, state: State, decision: Decision): void {
  const installed = [state.active, state.passive, state.node?.os ?? -1];
  const kept = new Set(
    before.generations
      .filter(
        (pair) => pair.id === before.wanted || (installed.includes(osOf(pair)) && isNewestGood(before, pair)),
      )
      .map(setOfPair),
  );
  for (const effect of decision.effects) {
    const path = 'path' in effect ? effect.path : 'to' in effect ? effect.to : '';
    if (!path.startsWith(`${STORE_FOLDER}/`)) continue;
    const set = setOf(path.charAt(STORE_FOLDER.length + 1));
    if (kept.has(set)) throw new Violation('I3', `${effect.do} ${path}, which is still needed`);
    if (effect.do !== 'unlink' && effect.do !== 'remove-folder')
      throw new Violation('I3', `${effect.do} ${path}`);
  }
  checkFair(world, before, decision.records);
  const restores = decision.effects.some(
    (effect) => effect.do === 'run' && effect.action.name === 'restore-snapshot',
  );
  if (restores && world.scope.datastore !== 'single' && before.datastore.restore === null)
    throw new Violation('I5', 'a snapshot is put back by itself where other servers have the data');
}

function isNewestGood(records: Records, pair: Generation): boolean {
  return (
    pair.state === 'good' &&
    !records.generations.some(
      (other) => other.os === pair.os && other.state === 'good' && other.turn > pair.turn,
    )
  );
}

/** I4: the durable half after a crash holds records, the old or the new ones, and the links name no pair ahead of them. */
export function checkDisk(world: World, before: State, after: State, label: string): void {
  if (before.record >= 0 && after.record < 0)
    throw new Violation('I4', `${label}: the records are gone or damaged`);
  if (after.record >= 0) checkLinks(world, before, after, label);
}

/** A link that changed names a pair that the durable records call good, when they call any good for that slot. */
function checkLinks(world: World, before: State, after: State, label: string): void {
  if (world.scope.faults) return;
  const proven = good(world.interned.get(after.record));
  for (const [index, os] of [after.active, after.passive].entries()) {
    const link = after.links[index] ?? -1;
    if (link < 0 || link === before.links[index] || !proven.some((pair) => osOf(pair) === os)) continue;
    if (!proven.some((pair) => setOfPair(pair) === link))
      throw new Violation('I4', `${label}: a link is ahead of the records`);
  }
}

/** What the records call good is what was healthy. */
export function checkProven(before: Records, after: Records, healthy: number | null): void {
  const known = provenPairs(before);
  for (const pair of provenPairs(after)) {
    const wasOnce = before.generations.some((old) => old.turn > 0 && osOf(old) * 3 + setOfPair(old) === pair);
    if (!known.has(pair) && pair !== healthy && !wasOnce)
      throw new Violation('I2', 'a pair is called good that was never healthy');
  }
}
