import type { Action, Decision } from '../../../../src/node/model/effects.ts';
import type { Records } from '../../../../src/node/model/types.ts';
import { type Memo, type Outcome, perform } from './command.ts';
import { type Core, type Scope, Violation } from './core.ts';
import { minorOf, observe } from './facts.ts';
import { checkChoice, checkDecision, checkDisk } from './invariants.ts';
import { COMES_UP, type Disk, type Interned, PANICS, type State } from './state.ts';

export interface Step {
  readonly label: string;
  readonly to: State;
  /** `run`: it comes up; `stop`: it stops before, by a crash of ours, of the pair or by GRUB; `restart`: because we said so. */
  readonly kind: 'run' | 'crash' | 'early' | 'restart' | 'stuck' | 'full';
}
export interface World {
  readonly core: Core;
  readonly scope: Scope;
  readonly interned: Interned;
  readonly memo: Memo;
}
export type Node = NonNullable<State['node']>;

export function off(state: State, change: Partial<State> = {}): State {
  return { ...state, ...change, node: null };
}

/** The records that sextant-node would read: the file, else the previous copy. */
export function readable(world: World, disk: Disk): Records | null {
  const number = disk.record >= 0 ? disk.record : disk.previous;
  return number >= 0 ? world.interned.get(number) : null;
}

export function observationOf(world: World, state: State, node: Node, enabled: number, writable = true) {
  return observe({
    slot: node.slot,
    os: node.os,
    active: state.active,
    passive: state.passive,
    mislabelled: state.mislabelled,
    store: state.store,
    links: state.links,
    enabled,
    assessing: state.enable || state.tentative,
    writable,
    recordWhole: state.record >= 0,
    datastore: world.scope.datastore,
  });
}

/** All that a decision can depend on, and the disk it is executed on. */
export function viewKey(state: State, node: Node, enabled: number): string {
  const { record, previous, links, store, active, passive, mislabelled, enable, tentative } = state;
  return `${record},${previous},${links},${store},${active},${passive},${mislabelled},${enable || tentative},${node.slot},${node.os},${enabled}`;
}

/** Power on. `by`: what a person selects in GRUB's menu, or GRUB itself. */
export function powerOn(world: World, state: State, by: 'grub' | 'active' | 'passive'): Step[] {
  const { slot: chosen, state: after } = grub(state);
  const slot = by === 'grub' ? chosen : by;
  const os = slot === 'active' ? after.active : after.mislabelled ? -1 : after.passive;
  const label = by === 'grub' ? `boot of ${slot}` : `boot of ${slot} by hand`;
  if (os < 0) return [{ label: `${label}: nothing there`, to: off(after), kind: 'stuck' }];
  const panics: Step = {
    label: `${label}: panics early`,
    to: off(after, { early: after.early.with(os, PANICS) }),
    kind: 'early',
  };
  const known = after.early[os];
  if (known === PANICS) return [panics];
  const up = { ...after, early: after.early.with(os, COMES_UP) };
  const node: Node = {
    slot,
    os,
    runs: -1,
    step: 0,
    target: -1,
    unsynced: [],
  };
  return [...(known === COMES_UP ? [] : [panics]), ...initramfs(world, up, node, label)];
}

/** GRUB's script: next_entry goes before the assessment, which sends a second arrival without an answer to passive. */
function grub(state: State): { slot: 'active' | 'passive'; state: State } {
  if (state.next !== '') return { slot: state.next, state: { ...state, next: '' } };
  if (!state.enable) return { slot: 'active', state };
  if (state.tentative) return { slot: 'passive', state };
  return { slot: 'active', state: { ...state, tentative: true } };
}

/** `sextant-node boot`, after immucore has linked what the slot's folder holds. */
function initramfs(world: World, state: State, node: Node, label: string): Step[] {
  const linked = state.links[node.slot === 'active' ? 0 : 1];
  const before = readable(world, state);
  if (!before) return comesUp(world, state, node, linked, `${label}, without records`);
  const { decision, outcome } = world.memo.of(`boot ${viewKey(state, node, linked)}`, () => {
    const observation = observationOf(world, state, node, linked);
    const made = world.core.decideBoot(before, observation);
    checkDecision(world, before, state, made);
    return { decision: made, outcome: perform(made, state, linked, observation, world.interned) };
  });
  return [
    ...crashes(world, state, outcome, label),
    ...(world.scope.full ? outcome.full.flatMap((cut) => withoutSpace(world, state, node, cut, label)) : []),
    ...(world.scope.full ? withoutOtherSlot(world, state, node, outcome, label) : []),
    ...decided(world, { ...state, ...outcome.disk }, node, before, decision, outcome, label),
  ];
}

/** The other slot cannot be booted from here: the decision is made again without it. */
function withoutOtherSlot(world: World, state: State, node: Node, outcome: Outcome, label: string): Step[] {
  if (!outcome.actions.some(({ name }) => name === 'boot-other-slot')) return [];
  const there = { ...state, ...outcome.disk };
  const before = readable(world, there);
  if (!before) throw new Violation('I4', 'no records are left after a restart that failed');
  const { decision, outcome: second } = world.memo.of(
    `alone ${viewKey(there, node, outcome.enabled)}`,
    () => {
      const observation = { ...observationOf(world, there, node, outcome.enabled), other: null };
      const made = world.core.decideBoot(before, observation);
      checkDecision(world, before, there, made);
      return { decision: made, outcome: perform(made, there, outcome.enabled, observation, world.interned) };
    },
  );
  return decided(world, there, node, before, decision, second, `${label}, which fails`).map((step) => ({
    ...step,
    kind: 'full',
  }));
}

/** After a failed write the decision is made again, with what is on the disk then. */
function withoutSpace(
  world: World,
  state: State,
  node: Node,
  cut: Outcome['full'][number],
  label: string,
): Step[] {
  const there = { ...acted({ ...state, ...cut.disk }, cut.done), ...torn(cut.cut) };
  const before = readable(world, there);
  if (!before) throw new Violation('I4', 'no records are left after a write that failed');
  const { decision, outcome } = world.memo.of(`full ${viewKey(there, node, cut.enabled)}`, () => {
    const observation = observationOf(world, there, node, cut.enabled, false);
    const made = world.core.decideBoot(before, observation);
    checkDecision(world, before, there, made);
    return { decision: made, outcome: perform(made, there, cut.enabled, observation, world.interned) };
  });
  return decided(world, there, node, before, decision, outcome, `${label}, disk full`, false).map((step) => ({
    ...step,
    kind: 'full',
  }));
}

function decided(
  world: World,
  state: State,
  node: Node,
  before: Records,
  decision: Decision,
  outcome: Outcome,
  label: string,
  writable = true,
): Step[] {
  if (outcome.fault) throw new Violation('I4', `${label}: ${outcome.fault}`);
  const after = acted({ ...state, ...outcome.disk }, outcome.actions);
  const said = `${label}: ${decision.why}`;
  if (outcome.actions.some(({ name }) => name === 'boot-other-slot')) {
    return [{ label: said, to: off(after), kind: 'restart' }];
  }
  const runs = outcome.enabled >= 0 && after.store & (1 << outcome.enabled) ? outcome.enabled : -1;
  try {
    checkChoice({ world, before, after, node, runs, writable });
  } catch (error) {
    if (error instanceof Violation) error.message += ` (${said})`;
    throw error;
  }
  return comesUp(world, after, { ...node, unsynced: outcome.unsynced }, outcome.enabled, said);
}

/** The merge; on the active slot the boot stage then clears the assessment. */
function comesUp(world: World, state: State, node: Node, enabled: number, label: string): Step[] {
  const runs = enabled >= 0 && state.store & (1 << enabled) ? enabled : -1;
  const merged = merge(world, state, runs);
  const cleared = node.slot === 'active' ? { enable: false, tentative: false } : {};
  const stops: Step[] =
    node.slot === 'active' && (merged.enable || merged.tentative)
      ? lost(merged, node).map((to) => ({ label: `${label}; crash at the merge`, to, kind: 'crash' }))
      : [];
  return [...stops, { label, to: { ...merged, ...cleared, node: { ...node, runs } }, kind: 'run' }];
}

/** What running a set does to the datastore. */
export function merge(world: World, state: State, runs: number): State {
  if (runs < 0 || world.scope.datastore === 'agent') return state;
  // Who deletes the records, both copies, in the middle of a restore leaves nobody who knows of it.
  if (state.data === 2 && (!world.scope.faults || readable(world, state)))
    throw new Violation('I5', 'Kubernetes runs on a datastore that is half put back');
  if (minorOf(runs) < state.data && readable(world, state) && !world.scope.faults)
    throw new Violation('I5', 'Kubernetes runs on a datastore of a newer minor version');
  return { ...state, data: Math.max(state.data, minorOf(runs)) };
}

/** What a crash of a node that was up leaves. */
export function lost(state: State, node: Node): State[] {
  if (node.unsynced.length === 0) return [off(state)];
  return node.unsynced.map((disk) => off(state, disk));
}

export function crashes(world: World, state: State, outcome: Outcome, label: string): Step[] {
  return outcome.crashes.map(({ disk, done, cut }): Step => {
    const after = acted({ ...state, ...disk }, done);
    checkDisk(world, state, after, label);
    return { label: `${label}; power cut in the middle`, to: off({ ...after, ...torn(cut) }), kind: 'crash' };
  });
}

/** What an action that was cut short leaves. */
function torn(cut: Action | null): Partial<State> {
  return cut?.name === 'restore-snapshot' ? { data: 2 } : {};
}

/** What actions did to the node. */
export function acted(state: State, actions: readonly Action[]): State {
  let after = state;
  for (const action of actions) {
    if (action.name === 'boot-other-slot') after = { ...after, next: action.slot };
    if (action.name === 'clear-boot-assessment') after = { ...after, enable: false, tentative: false };
    if (action.name === 'restore-snapshot') after = { ...after, data: Number(action.snapshot.slice(1)) };
  }
  return after;
}
