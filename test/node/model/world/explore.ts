import { adopt } from '../../../../src/node/model/adopt.ts';
import { isRefusal } from '../../../../src/node/model/effects.ts';
import type { Generation } from '../../../../src/node/model/types.ts';
import { powerOn, type Step, type World } from './boot.ts';
import { Memo } from './command.ts';
import { CORE, type Core, type Scope, Violation } from './core.ts';
import { fileOf, KUBERNETES, observe, osId } from './facts.ts';
import { faults } from './faults.ts';
import { Promise1, window } from './promise.ts';
import { running } from './running.ts';
import { COMES_UP, Interned, representative, type State, UNTRACKED } from './state.ts';

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Steps from the start to the furthest state. */
  readonly depth: number;
  /** True when no new state is left. */
  readonly complete: boolean;
  /** The most restarts until a good pair ran. */
  readonly restarts: number;
  /** States of a node that is off in which I1 promises nothing, by reason. */
  readonly windows: ReadonlyMap<string, number>;
  /** The invariant that does not hold, with the events that lead there, one a line. */
  readonly violation: { readonly invariant: string; readonly trace: string } | null;
}

export interface Start {
  readonly world: World;
  readonly state: State;
}

/** An adopted node on its first boot: no verdict yet, both slots of one system. */
export function startOf(scope: Scope, core: Core = CORE): Start {
  const world = { core, scope, interned: new Interned(), memo: new Memo() };
  const observation = observe({
    slot: 'active',
    os: 0,
    active: 0,
    passive: 0,
    mislabelled: false,
    store: 1,
    links: [0, -1],
    enabled: 0,
    assessing: false,
    writable: true,
    recordWhole: false,
    datastore: scope.datastore,
  });
  const settings = { tries: scope.tries, patienceSeconds: 1, settleSeconds: 1 };
  const first = adopt(null, observation, { files: [fileOf(0)], kubernetes: KUBERNETES[0], settings });
  if (isRefusal(first)) throw new Error(first.message);
  const record = world.interned.number(first.records, true);
  return {
    world,
    state: {
      record,
      previous: scope.faults ? record : UNTRACKED,
      links: [0, 0],
      store: 1,
      active: 0,
      passive: 0,
      mislabelled: false,
      next: '',
      enable: false,
      tentative: false,
      early: [COMES_UP, 0, 0],
      data: 0,
      node: { slot: 'active', os: 0, runs: 0, step: 0, target: -1, unsynced: [] },
    },
  };
}

/**
 * Switched off, just upgraded to a system never seen (2): passive (1) is good with set 0, and before that a system that is gone (0) became
 * good with set 1, later than the one in passive.
 */
export function severalGood({ world, state }: Start): State {
  const records = world.interned.get(state.record);
  const [one] = records.generations as [Generation];
  const pair = (id: number, os: number, set: number, turn: number): Generation => ({
    ...one,
    id,
    os: osId(os),
    files: [fileOf(set)],
    kubernetes: KUBERNETES[set] as string,
    state: 'good',
    turn,
  });
  const generations = [pair(1, 1, 0, 3), pair(2, 0, 1, 4)];
  const record = world.interned.number(
    { ...records, counter: 4, wanted: null, boot: null, generations },
    false,
  );
  return { ...state, record, active: 2, passive: 1, store: 3, early: [0, 1, 1], node: null };
}

/** Switched off after the last try of a newer minor version (set 2): set 0, good with the system in both slots, is next, with its snapshot. */
export function goingBack({ world, state }: Start): State {
  const records = world.interned.get(state.record);
  const [one] = records.generations as [Generation];
  const kubernetes = KUBERNETES[2];
  const generations: Generation[] = [
    { ...one, id: 1, state: 'good', turn: 1 },
    {
      ...one,
      id: 2,
      files: [fileOf(2)],
      kubernetes,
      state: 'trying',
      tries: world.scope.tries,
      snapshot: 'm0',
    },
  ];
  const datastore = { ...records.datastore, trial: { generation: 2, version: kubernetes, snapshot: 'm0' } };
  const record = world.interned.number(
    { ...records, counter: 2, wanted: 2, boot: null, generations, datastore },
    false,
  );
  return { ...state, record, previous: record, store: 5, data: 1, early: [COMES_UP, 0, 0], node: null };
}

/** All that can happen next. */
export function steps(world: World, state: State): Step[] {
  const others = world.scope.faults ? faults(world, state) : [];
  if (state.node) return [...running(world, state, state.node), ...others];
  return [...(['grub', 'active', 'passive'] as const).flatMap((by) => powerOn(world, state, by)), ...others];
}

/** Breadth first, every state once. `limit`: states after which it gives up. */
export function explore(
  scope: Scope,
  core: Core = CORE,
  limit = Number.POSITIVE_INFINITY,
  begin: (start: Start) => State = ({ state }) => state,
): Explored {
  const first = startOf(scope, core);
  const { world } = first;
  const start = begin(first);
  const symmetric = scope.sets.includes(0) && scope.sets.includes(1);
  const promise = new Promise1(world);
  const seen = new Map<string, number>();
  const parents: number[] = [];
  const labels: string[] = [];
  const windows = new Map<string, number>();
  let layer: { state: State; number: number }[] = [];
  let transitions = 0;
  let depth = 0;
  let restarts = 0;
  const traceTo = (number: number): string[] =>
    number <= 0 ? [] : [...traceTo(parents[number] as number), labels[number] as string];
  const result = (complete: boolean, violation: Explored['violation']): Explored => ({
    states: seen.size,
    transitions,
    depth,
    complete,
    restarts,
    windows,
    violation,
  });
  const add = (state: State, parent: number, label: string, next: typeof layer) => {
    const { state: plain, key } = representative(state, world.interned, symmetric);
    if (seen.has(key)) return;
    const number = seen.size;
    seen.set(key, number);
    parents.push(parent);
    labels.push(label);
    next.push({ state: plain, number });
    if (plain.node) return;
    const why = window(world, plain);
    if (why === null) restarts = Math.max(restarts, promise.check(plain, symmetric));
    else windows.set(why, (windows.get(why) ?? 0) + 1);
  };
  let at = 0;
  let last = '';
  try {
    add(start, -1, 'start', layer);
    while (layer.length > 0) {
      const next: typeof layer = [];
      for (const { state, number } of layer) {
        at = number;
        last = '';
        for (const { to, label } of steps(world, state)) {
          transitions++;
          last = label; // for a violation in the state it leads to
          add(to, number, label, next);
        }
        if (seen.size > limit) return result(false, null);
      }
      layer = next;
      if (layer.length > 0) depth++;
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const trace = [...traceTo(at), `(after: ${last})`, error.message]
      .map((line, index) => `${index + 1}. ${line}`)
      .join('\n');
    return result(false, { invariant: error.invariant, trace });
  }
  return result(true, null);
}
