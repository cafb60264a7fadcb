import type { Action, Decision } from '../../../../src/node/model/effects.ts';
import type { Records } from '../../../../src/node/model/types.ts';
import { osOf, setOfPair } from './canonical.ts';
import { type Outcome, perform } from './command.ts';
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
    passive: state.mislabelled ? -1 : state.passive,
    store: state.store,
    links: state.links,
    enabled,
    failure: node.failure,
    assessing: state.enable || state.tentative,
    writable,
    recordWhole: state.record >= 0,
    datastore: world.scope.datastore,
  });
}

/** Power on. `by`: what a person selects in GRUB's menu, or GRUB itself. */
export function powerOn(world: World, state: State, by: 'grub' | 'active' | 'passive'): Step[] {
  const { slot: chosen, state: after, failure } = grub(state);
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
    failure: failure && slot === 'passive',
    runs: -1,
    step: 0,
    target: -1,
    unsynced: [],
  };
  return [...(known === COMES_UP ? [] : [panics]), ...initramfs(world, up, node, label)];
}

/** GRUB's script: next_entry goes before the assessment, which sends a second arrival without an answer to passive. */
function grub(state: State): { slot: 'active' | 'passive'; state: State; failure: boolean } {
  if (state.next !== '') return { slot: state.next, state: { ...state, next: '' }, failure: false };
  if (!state.enable) return { slot: 'active', state, failure: false };
  if (state.tentative) return { slot: 'passive', state, failure: true };
  return { slot: 'active', state: { ...state, tentative: true }, failure: false };
}

/** `sextant-node boot`, after immucore has linked what the slot's folder holds. */
function initramfs(world: World, state: State, node: Node, label: string): Step[] {
  const linked = state.links[node.slot === 'active' ? 0 : 1];
  const before = readable(world, state);
  if (!before) return comesUp(world, state, node, linked, `${label}, without records`);
  const observation = observationOf(world, state, node, linked);
  const decision = world.core.decideBoot(before, observation);
  checkDecision(world, before, state, decision);
  const outcome = perform(decision, state, linked, observation, world.interned);
  return [
    ...crashes(world, state, outcome, label),
    ...(world.scope.full ? outcome.full.flatMap((cut) => withoutSpace(world, state, node, cut, label)) : []),
    ...decided(world, { ...state, ...outcome.disk }, node, before, decision, outcome, label),
  ];
}

/** After a failed write the decision is made again, with what is on the disk then. */
function withoutSpace(world: World, state: State, node: Node, cut: Outcome['full'][number], label: string): Step[] {
  const there = acted({ ...state, ...cut.disk }, cut.done);
  const before = readable(world, there);
  if (!before) throw new Violation('I4', 'no records are left after a write that failed');
  const observation = observationOf(world, there, node, cut.enabled, false);
  const decision = world.core.decideBoot(before, observation);
  checkDecision(world, before, there, decision);
  const outcome = perform(decision, there, cut.enabled, observation, world.interned);
  return decided(world, there, node, before, decision, outcome, `${label}, disk full`, false).map((step) => ({ ...step, kind: 'full' }));
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
  checkChoice(world, before, after, node, runs, writable);
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
  if (state.data === 2) throw new Violation('I5', 'Kubernetes runs on a datastore that is half put back');
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
    const torn = cut?.name === 'restore-snapshot' ? { data: 2 } : {};
    return { label: `${label}; power cut in the middle`, to: off({ ...after, ...torn }), kind: 'crash' };
  });
}

/** What actions did to the node. */
export function acted(state: State, actions: readonly Action[]): State {
  return actions.reduce((after: State, action): State => {
    switch (action.name) {
      case 'boot-other-slot':
        return { ...after, next: action.slot };
      case 'clear-boot-assessment':
        return { ...after, enable: false, tentative: false };
      case 'restore-snapshot':
        return { ...after, data: Number(action.snapshot.slice(1)) };
      default:
        return after;
    }
  }, state);
}

export function pairNumber(pair: Parameters<typeof osOf>[0] & Parameters<typeof setOfPair>[0]): number {
  return osOf(pair) * 3 + setOfPair(pair);
}
