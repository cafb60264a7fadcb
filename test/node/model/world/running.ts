import { type Decision, isRefusal, type Refusal } from '../../../../src/node/model/effects.ts';
import type { Records } from '../../../../src/node/model/types.ts';
import { acted, crashes, lost, merge, type Node, observationOf, off, readable, type Step, type World } from './boot.ts';
import { osOf, setOfPair } from './canonical.ts';
import { perform, storedFolders } from './command.ts';
import { Violation } from './core.ts';
import { fileOf, KUBERNETES, minorOf } from './facts.ts';
import { checkDecision, checkDisk, checkProven } from './invariants.ts';
import type { State } from './state.ts';

/** What can happen to a node that is up, except faults by others. */
export function running(world: World, state: State, node: Node): Step[] {
  const records = readable(world, state);
  return [
    ...lost(state, node).map((to): Step => ({ label: 'crash: panic, watchdog or power', to, kind: 'crash' })),
    ...(records ? ours(world, state, node, records) : [{ label: 'reboot', to: off(state), kind: 'restart' } as const]),
    ...kairosUpgrade(world, state, node),
  ];
}

function ours(world: World, state: State, node: Node, records: Records): Step[] {
  const { core, scope } = world;
  const observation = observationOf(world, state, node, node.runs);
  const go = (label: string, outcome: Decision | Refusal, healthy: number | null = null, from = state) =>
    isRefusal(outcome) ? [] : command(world, from, node, records, outcome, label, healthy);
  const healthy = node.runs >= 0 ? node.os * 3 + node.runs : null;
  return [
    ...(healthy === null
      ? []
      : go('health: good', core.verdict(records, observation, { result: 'good', detail: '' }), healthy)),
    ...badVerdicts(world, state, node, records),
    ...shutDown(world, state, node, records),
    ...go('the server is away', core.giveBack(records, observation, { reason: 'server-away' })),
    ...go('a foreign extension broke the merge', core.giveBack(records, observation, { reason: 'foreign', names: ['x'] })),
    ...scope.sets.flatMap((set) =>
      (['live', 'reboot', 'later'] as const).flatMap((how) => {
        const there = { ...state, store: state.store | (1 << set) };
        const snapshot = scope.datastore === 'agent' ? null : `m${state.data}`;
        const request = { files: [fileOf(set)], kubernetes: KUBERNETES[set] as string, snapshot, how, again: true };
        const outcome = core.upgrade(records, observationOf(world, there, node, node.runs), request);
        return go(`upgrade to set ${set}, ${how}`, outcome, null, there);
      }),
    ),
    ...records.generations.flatMap(({ id }) =>
      go(`rollback to ${id}`, core.rollback(records, observation, { to: id, restore: null })),
    ),
    ...restoringRollbacks(world, state, node, records),
    ...go('gc', core.collect(records, observation, { folders: storedFolders(state.store) })),
  ];
}

/** Health that is bad, or never answers: what the pair on trial may do as well as a broken cluster. */
export function badVerdicts(world: World, state: State, node: Node, records: Records): Step[] {
  const observation = observationOf(world, state, node, node.runs);
  return (['bad', 'silent'] as const).flatMap((result) => {
    const decision = world.core.verdict(records, observation, { result, detail: '' });
    return command(world, state, node, records, decision, `health: ${result}`, null);
  });
}

function shutDown(world: World, state: State, node: Node, records: Records): Step[] {
  const observation = observationOf(world, state, node, node.runs);
  const decision = world.core.giveBack(records, observation, { reason: 'clean-shutdown' });
  return command(world, state, node, records, decision, 'clean shutdown', null).map((step) =>
    step.to.node === null ? step : { ...step, to: off(step.to), kind: 'restart' },
  );
}

/** `rollback --restore-datastore`: a person gives up what was written since. */
function restoringRollbacks(world: World, state: State, node: Node, records: Records): Step[] {
  if (world.scope.datastore === 'agent' || state.data === 0) return [];
  const observation = observationOf(world, state, node, node.runs);
  return records.generations
    .filter((pair) => minorOf(setOfPair(pair)) === 0 && osOf(pair) === node.os)
    .flatMap(({ id }) => {
      const outcome = world.core.rollback(records, observation, { to: id, restore: 'm0' });
      return isRefusal(outcome)
        ? []
        : command(world, state, node, records, outcome, `rollback to ${id} with its snapshot`, null);
    });
}

/** A decision made while the node is up: done, cut by a crash, or stopped by a full disk. */
function command(
  world: World,
  state: State,
  node: Node,
  before: Records,
  decision: Decision,
  label: string,
  healthy: number | null,
): Step[] {
  checkDecision(world, before, state, decision);
  checkProven(before, decision.records, healthy);
  const outcome = perform(decision, state, node.runs, observationOf(world, state, node, node.runs), world.interned);
  if (outcome.fault) throw new Violation('I4', `${label}: ${outcome.fault}`);
  const after = acted({ ...state, ...outcome.disk }, outcome.actions);
  checkDisk(world, state, after, label);
  const said = `${label}: ${decision.why}`;
  const cut = crashes(world, state, outcome, said);
  const full = world.scope.full
    ? outcome.full.map(({ disk, done }): Step => ({
        label: `${said}, disk full`,
        to: { ...acted({ ...state, ...disk }, done), node },
        kind: 'full',
      }))
    : [];
  const up = { ...node, unsynced: outcome.unsynced };
  const ends = outcome.actions.some(({ name }) => name === 'reboot' || name === 'boot-other-slot');
  if (ends) return [...cut, ...full, { label: said, to: off(after), kind: 'restart' }];
  const live = outcome.actions.some(({ name }) => name === 'switch-live');
  const runs = live ? outcome.enabled : node.runs;
  const merged = live ? merge(world, after, runs) : after;
  return [...cut, ...full, { label: said, to: { ...merged, node: { ...up, runs } }, kind: 'run' }];
}

/** kairos-agent upgrade, step by step. From passive it leaves passive alone. A crash loses the transition image and nothing else. */
function kairosUpgrade(world: World, state: State, node: Node): Step[] {
  const at = (step: number, change: Partial<State>, target = node.target): Step => ({
    label: `kairos-agent upgrade to system ${target}: ${STEPS[step]}`,
    to: { ...state, ...change, node: { ...node, step, target } },
    kind: 'run',
  });
  const fromActive = node.slot === 'active';
  switch (node.step) {
    case 0:
      return Array.from({ length: world.scope.systems }, (_, os) => os)
        .filter((os) => os !== node.os)
        .map((os) => at(1, {}, os));
    case 1:
      return fromActive && state.active >= 0
        ? [at(2, { passive: state.active, active: -1, mislabelled: true })]
        : [at(3, {})];
    case 2:
      return [at(3, { mislabelled: false })];
    case 3:
      return [at(4, { active: node.target, early: state.early.with(node.target, 0) })];
    case 4:
      return [at(5, { next: 'active' })];
    default:
      return [at(0, { enable: true }, -1)];
  }
}
const STEPS = [
  'assessment enabled',
  'image unpacked',
  'active renamed to passive',
  'passive relabelled',
  'image in place',
  'next_entry set',
];
