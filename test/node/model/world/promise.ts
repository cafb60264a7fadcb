import { off, powerOn, readable, type World } from './boot.ts';
import { osOf, setOfPair } from './canonical.ts';
import { Violation } from './core.ts';
import { good, runnable } from './invariants.ts';
import { badVerdicts } from './running.ts';
import { COMES_UP, PANICS, representative, type State } from './state.ts';

/** Why I1 promises nothing in a state: the window that others opened. Null when it does promise. */
export function window(world: World, state: State): string | null {
  const records = readable(world, state);
  if (!records) return 'no records';
  const pairs = good(records).filter((pair) => runnable(world, records, state, pair));
  if (pairs.length === 0) return 'no good pair that could run';
  const has = (os: number) =>
    os >= 0 && state.early[os] !== PANICS && pairs.some((pair) => osOf(pair) === os);
  const passive = state.mislabelled ? -1 : state.passive;
  if (!has(state.active) && !has(passive)) return 'no slot has an operating system with a good pair';
  if (state.active < 0) return 'no active image: GRUB needs a hand';
  if (!has(state.active) && !state.enable && state.next !== 'passive' && state.early[state.active] !== 1)
    return 'a new system that was never booted, and no boot assessment';
  if (state.next === 'passive' && passive < 0) return 'next_entry names a slot that cannot be booted';
  if (state.enable && state.tentative && !has(passive) && state.early[passive] !== COMES_UP)
    return 'the boot assessment points at a system that was never booted';
  if (!has(state.active) && passive < 0) return 'no passive image that can be booted';
  return null;
}

/**
 * The sum of the tries and two. On a node that fell back to passive, a trial asked for there costs a second restart for each try: GRUB
 * comes to the active slot first, and we send it on.
 */
function promised(world: World, state: State): number {
  const records = readable(world, state);
  const wanted = records?.generations.find(({ id }) => id === records.wanted);
  return (wanted?.slot === 'passive' ? 2 : 1) * world.scope.tries + 2;
}

/**
 * I1: from a node that is off, by pairs that panic, hang or never get Ready, the greatest number of restarts until a good pair runs.
 * Infinite when there is no bound. Nobody does anything meanwhile; crashes within our own effects are states of their own.
 */
export class Promise1 {
  private readonly known = new Map<string, number>();
  private readonly ways = new Map<string, { readonly label: string; readonly to: State }>();
  private readonly world: World;
  constructor(world: World) {
    this.world = world;
  }

  restarts(state: State, symmetric: boolean): number {
    const { key, state: plain } = representative(state, this.world.interned, symmetric);
    const before = this.known.get(key);
    if (before !== undefined) return before;
    if (window(this.world, plain) !== null) return 0;
    this.known.set(key, Number.POSITIVE_INFINITY); // met again on its own way: no bound
    let most = 0;
    for (const step of powerOn(this.world, plain, 'grub')) {
      if (step.kind === 'crash' && step.label.includes('power cut')) continue;
      if (step.kind === 'full') continue;
      const next = step.to.node ? this.up(step.to, symmetric) : 1 + this.restarts(step.to, symmetric);
      if (next >= most) this.ways.set(key, step);
      most = Math.max(most, next);
    }
    this.known.set(key, most);
    return most;
  }

  /** A good pair runs: 0. Anything else stops somehow. */
  private up(state: State, symmetric: boolean): number {
    const records = readable(this.world, state);
    const { node } = state;
    if (!records || !node) return 0;
    if (good(records).some((pair) => osOf(pair) === node.os && setOfPair(pair) === node.runs)) return 0;
    const ends = [
      ...(node.unsynced.length === 0 ? [off(state)] : node.unsynced.map((disk) => off(state, disk))),
      ...badVerdicts(this.world, state, node, records)
        .filter(({ kind }) => kind === 'restart')
        .map(({ to }) => to),
    ];
    const counts = ends.map((end) => 1 + this.restarts(end, symmetric));
    const most = Math.max(...counts);
    const to = ends[counts.indexOf(most)];
    if (to)
      this.ways.set(representative(state, this.world.interned, symmetric).key, { label: 'it stops', to });
    return most;
  }

  /** The longest way, for people. */
  private way(state: State, symmetric: boolean, left = 24): string {
    const step = this.ways.get(representative(state, this.world.interned, symmetric).key);
    return step && left > 0 ? `\n   then ${step.label}${this.way(step.to, symmetric, left - 1)}` : '';
  }

  check(state: State, symmetric: boolean): number {
    const found = this.restarts(state, symmetric);
    const most = promised(this.world, state);
    if (found > most)
      throw new Violation(
        'I1',
        `${found} restarts until a good pair runs, ${most} were promised${this.way(state, symmetric)}`,
      );
    return found;
  }
}
