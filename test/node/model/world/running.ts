import { type Decision, isRefusal, type Refusal } from '../../../../src/node/model/effects.ts';
import type { Records } from '../../../../src/node/model/types.ts';
import {
  acted,
  crashes,
  lost,
  merge,
  type Node,
  observationOf,
  off,
  readable,
  type Step,
  viewKey,
  type World,
} from './boot.ts';
import { osOf, setOfPair } from './canonical.ts';
import { type Outcome, perform, storedFolders } from './command.ts';
import { Violation } from './core.ts';
import { fileOf, KUBERNETES, minorOf } from './facts.ts';
import { checkDecision, checkDisk, checkLeaves, checkProven } from './invariants.ts';
import type { State } from './state.ts';

/** What can happen to a node that is up, except faults by others. */
export function running(world: World, state: State, node: Node): Step[] {
  const records = readable(world, state);
  return [
    ...lost(state, node).map((to): Step => ({ label: 'crash: panic, watchdog or power', to, kind: 'crash' })),
    ...(records
      ? ours(world, state, node, records)
      : [{ label: 'reboot', to: off(state), kind: 'restart' } as const]),
    ...kairosUpgrade(world, state, node),
  ];
}

type Asked = readonly [
  label: string,
  decide: () => Decision | Refusal,
  healthy?: number | null,
  from?: State,
];

function ours(world: World, state: State, node: Node, records: Records): Step[] {
  const { core, scope } = world;
  const seen = (from = state) => observationOf(world, from, node, node.runs);
  const healthy = node.runs >= 0 ? node.os * 3 + node.runs : null;
  const between = node.step > 0;
  const generation = records.boot?.generation ?? 0;
  const well = { result: 'good', detail: '' } as const;
  const good: Asked[] =
    healthy === null
      ? []
      : [['health: good', () => core.verdict(records, seen(), { ...well, generation }), healthy]];
  // The look at a pair that has been exchanged live before its verdict was given.
  const late = records.generations
    .filter(({ id }) => id !== generation)
    .slice(0, 1)
    .map(
      ({ id }): Asked => [
        `health of ${id}, which does not run: good`,
        () => core.verdict(records, seen(), { ...well, generation: id }),
      ],
    );
  const gc: Asked = ['gc', () => core.collect(records, seen(), { folders: storedFolders(state.store) })];
  // Between the steps of kairos-agent only what looks at the slots matters: the rest touches other files and can as well come before.
  if (between) return [...good, gc].flatMap((one) => ask(world, state, node, records, one));
  const asked: Asked[] = [
    gc,
    ...good,
    ...late,
    ['the server is away', () => core.giveBack(records, seen(), { reason: 'server-away' })],
    [
      'a foreign extension broke the merge',
      () => core.giveBack(records, seen(), { reason: 'foreign', names: ['x'] }),
    ],
    ...records.generations.map(
      ({ id }): Asked => [
        `rollback to ${id}`,
        () => core.rollback(records, seen(), { to: id, restore: null }),
      ],
    ),
    ...scope.sets.flatMap((set) =>
      (['live', 'reboot', 'later'] as const).map((how): Asked => {
        const there = { ...state, store: state.store | (1 << set) };
        const snapshot = scope.datastore === 'agent' ? null : `m${state.data}`;
        const request = {
          files: [fileOf(set)],
          kubernetes: KUBERNETES[set] as string,
          snapshot,
          how,
          again: true,
        };
        return [
          `upgrade to set ${set}, ${how}`,
          () => core.upgrade(records, seen(there), request),
          null,
          there,
        ];
      }),
    ),
    ...restoringRollbacks(world, state, node, records),
  ];
  return [
    ...asked.flatMap((one) => ask(world, state, node, records, one)),
    ...badVerdicts(world, state, node, records),
    ...shutDown(world, state, node, records),
  ];
}

/** Health that is bad, or never answers: what the pair on trial may do as well as a broken cluster. */
export function badVerdicts(world: World, state: State, node: Node, records: Records): Step[] {
  const seen = () => observationOf(world, state, node, node.runs);
  return (['bad', 'silent'] as const).flatMap((result) =>
    ask(world, state, node, records, [
      `health: ${result}`,
      () =>
        world.core.verdict(records, seen(), {
          generation: records.boot?.generation ?? 0,
          result,
          detail: '',
        }),
    ]),
  );
}

function shutDown(world: World, state: State, node: Node, records: Records): Step[] {
  const seen = () => observationOf(world, state, node, node.runs);
  return ask(world, state, node, records, [
    'clean shutdown',
    () => world.core.giveBack(records, seen(), { reason: 'clean-shutdown' }),
  ]).map((step) => (step.to.node === null ? step : { ...step, to: off(step.to), kind: 'restart' }));
}

/** `rollback --restore-datastore`: a person gives up what was written since. */
function restoringRollbacks(world: World, state: State, node: Node, records: Records): Asked[] {
  if (world.scope.datastore === 'agent' || state.data === 0) return [];
  return records.generations
    .filter((pair) => minorOf(setOfPair(pair)) === 0 && osOf(pair) === node.os)
    .map(
      ({ id }): Asked => [
        `rollback to ${id} with its snapshot`,
        () =>
          world.core.rollback(records, observationOf(world, state, node, node.runs), {
            to: id,
            restore: 'm0',
          }),
      ],
    );
}

function ask(
  world: World,
  state: State,
  node: Node,
  before: Records,
  [label, decide, healthy = null, from = state]: Asked,
): Step[] {
  const key = `${label} ${state.data} ${viewKey(from, node, node.runs)}`;
  const made = world.memo.of(key, () => {
    const decision = decide();
    if (isRefusal(decision)) return null;
    checkDecision(world, before, from, decision);
    checkProven(before, decision.records, healthy);
    if (label.startsWith('health: ')) checkLeaves(world, before, from, node, decision);
    const observation = observationOf(world, from, node, node.runs);
    const outcome = perform(decision, from, node.runs, observation, world.interned);
    if (outcome.fault) throw new Violation('I4', `${label}: ${outcome.fault}`);
    return { decision, outcome };
  });
  return made ? command(world, from, node, made.decision, made.outcome, label) : [];
}

/** A decision made while the node is up: done, cut by a crash, or stopped by a full disk. */
function command(
  world: World,
  state: State,
  node: Node,
  decision: Decision,
  outcome: Outcome,
  label: string,
): Step[] {
  const after = acted({ ...state, ...outcome.disk }, outcome.actions);
  checkDisk(world, state, after, label);
  const said = `${label}: ${decision.why}`;
  const cut = crashes(world, state, outcome, said);
  const full = world.scope.full
    ? outcome.full.map(
        ({ disk, done }): Step => ({
          label: `${said}, disk full`,
          to: { ...acted({ ...state, ...disk }, done), node },
          kind: 'full',
        }),
      )
    : [];
  const up = { ...node, unsynced: outcome.unsynced };
  const ends = outcome.actions.some(({ name }) => name === 'reboot' || name === 'boot-other-slot');
  if (ends) {
    const failed = world.scope.full ? withoutRestart(state, node, outcome, said) : [];
    return [...cut, ...full, ...failed, { label: said, to: off(after), kind: 'restart' }];
  }
  const live = outcome.actions.some(({ name }) => name === 'switch-live');
  const runs = live ? outcome.enabled : node.runs;
  const merged = live ? merge(world, after, runs) : after;
  return [...cut, ...full, { label: said, to: { ...merged, node: { ...up, runs } }, kind: 'run' }];
}

/** The restart, which comes last, is not made: the slot is chosen for the next boot by then, or it is not. */
function withoutRestart(state: State, node: Node, outcome: Outcome, label: string): Step[] {
  const to = { ...acted({ ...state, ...outcome.disk }, outcome.actions.slice(0, -1)), node };
  const chosen = outcome.actions.some(({ name }) => name === 'boot-other-slot');
  return [
    { label: `${label}, the restart fails`, to, kind: 'full' },
    ...(chosen
      ? [
          {
            label: `${label}, the restart fails after the slot was chosen`,
            to: { ...acted({ ...state, ...outcome.disk }, outcome.actions), node },
            kind: 'full',
          } as const,
        ]
      : []),
  ];
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
        .map((os) =>
          fromActive && state.active >= 0
            ? at(2, { passive: state.active, active: -1, mislabelled: true }, os)
            : at(3, {}, os),
        );
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
  '',
  'active renamed to passive',
  'passive relabelled',
  'image in place',
  'next_entry set',
];
