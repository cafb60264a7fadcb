import type { Records } from '../../../../src/node/model/types.ts';
import { canonical, osOf, recordsKey, setOfPair } from './canonical.ts';
import { OS_COUNT } from './facts.ts';

/** What is durable on COS_PERSISTENT, by number of records (see Interned) and of sets. */
export interface Disk {
  /** RECORD_FILE: MISSING, DAMAGED or interned records. */
  readonly record: number;
  /** PREVIOUS_FILE, followed only where the world has faults; else UNTRACKED. */
  readonly previous: number;
  /** Sets linked in active/ and passive/, -1 for none. */
  readonly links: readonly [number, number];
  /** Bit for each set whose file is whole. */
  readonly store: number;
}
export const MISSING = -1;
export const DAMAGED = -2;
export const UNTRACKED = -3;

/** The node, whole. Plain data; equal states have equal keys. */
export interface State extends Disk {
  /** Operating system in each slot, -1 for none. */
  readonly active: number;
  readonly passive: number;
  /** passive.img still carries the label of the active one: GRUB cannot boot it. */
  readonly mislabelled: boolean;
  /** GRUB: next_entry, enable_boot_assessment, boot_assessment_tentative. */
  readonly next: '' | 'active' | 'passive';
  readonly enable: boolean;
  readonly tentative: boolean;
  /** For each operating system: not seen yet, comes up as far as the initramfs stage, always panics before. */
  readonly early: readonly number[];
  /** Minor version that has run on the datastore; 2 when a restore was cut short. */
  readonly data: number;
  /** Null when it is off. */
  readonly node: null | {
    readonly slot: 'active' | 'passive';
    readonly os: number;
    /** Set that is merged, -1 for none. */
    readonly runs: number;
    /** Step of kairos-agent's upgrade that was done last, 0 for none, and to which operating system. */
    readonly step: number;
    readonly target: number;
    /** What a crash may leave besides what is visible; empty when all was synced. */
    readonly unsynced: readonly Disk[];
  };
}
export const COMES_UP = 1;
export const PANICS = 2;

/** Canonical records by number, with the numbers of their renamed versions. */
export class Interned {
  readonly all: Records[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly renamed = new Map<number, number>();

  number(
    records: Records,
    booted: boolean,
    os: readonly number[] = SAME,
    set: readonly number[] = SAME,
  ): number {
    const plain = canonical(records, booted, os, set);
    const key = recordsKey(plain);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.numbers.set(key, this.all.length);
    return this.all.push(plain) - 1;
  }

  rename(number: number, booted: boolean, os: readonly number[], set: readonly number[]): number {
    if (number < 0) return number;
    const key =
      number * 256 +
      ((os[0] as number) * 9 + (os[1] as number) * 3 + (os[2] as number)) * 4 +
      (set[0] as number) * 2 +
      Number(booted);
    const known = this.renamed.get(key);
    if (known !== undefined) return known;
    const result = this.number(this.all[number] as Records, booted, os, set);
    this.renamed.set(key, result);
    return result;
  }

  get(number: number): Records {
    return this.all[number] as Records;
  }
}

const SAME = [0, 1, 2] as const;
const SWAPPED = [1, 0, 2] as const;

/** The representative of all states that differ only in the names of operating systems and of the two equal sets, and its key. */
export function representative(
  state: State,
  interned: Interned,
  symmetric: boolean,
): { state: State; key: string } {
  const tidy = plainEarly(state, interned);
  let best: { state: State; key: string } | undefined;
  for (const os of osNames(tidy)) {
    for (const set of symmetric ? [SAME, SWAPPED] : [SAME]) {
      const candidate = rename(tidy, interned, os, set);
      const key = keyOf(candidate);
      if (!best || key < best.key) best = { state: candidate, key };
    }
  }
  return best as { state: State; key: string };
}

/** What is known of an operating system that is in no slot is forgotten, unless a good pair proves it. */
function plainEarly(state: State, interned: Interned): State {
  const good = state.record >= 0 ? interned.get(state.record).generations : [];
  const early = state.early.map((known, os) => {
    if (good.some((pair) => osOf(pair) === os && pair.turn > 0)) return COMES_UP;
    const installed = [state.active, state.passive, state.node?.os, state.node?.target].includes(os);
    return installed ? known : 0;
  });
  return { ...state, early };
}

/** Names for the operating systems: by slot, then all orders of the rest. */
function osNames(state: State): number[][] {
  const fixed: number[] = [];
  for (const os of [state.active, state.passive, state.node?.os ?? -1]) {
    if (os >= 0 && !fixed.includes(os)) fixed.push(os);
  }
  const rest = Array.from({ length: OS_COUNT }, (_, os) => os).filter((os) => !fixed.includes(os));
  const orders = rest.length === 2 ? [rest, [...rest].reverse()] : [rest];
  return orders.map((order) => {
    const names: number[] = [];
    for (const [name, os] of [...fixed, ...order].entries()) names[os] = name;
    return names;
  });
}

function rename(state: State, interned: Interned, os: readonly number[], set: readonly number[]): State {
  const booted = state.node !== null;
  const system = (old: number) => (old < 0 ? old : (os[old] as number));
  const extension = (old: number) => (old < 0 ? old : (set[old] as number));
  const disk = (old: Disk): Disk => ({
    record: interned.rename(old.record, booted, os, set),
    previous: interned.rename(old.previous, false, os, set),
    links: [extension(old.links[0]), extension(old.links[1])],
    store: set === SAME ? old.store : (old.store & 4) | ((old.store & 1) << 1) | ((old.store & 2) >> 1),
  });
  const early: number[] = [];
  for (const [index, known] of state.early.entries()) early[system(index)] = known;
  return {
    ...state,
    ...disk(state),
    active: system(state.active),
    passive: system(state.passive),
    early,
    node: state.node && {
      ...state.node,
      os: system(state.node.os),
      target: system(state.node.target),
      runs: extension(state.node.runs),
      unsynced: state.node.unsynced.map(disk),
    },
  };
}

function keyOf(state: State): string {
  const { node } = state;
  const disk = (one: Disk) => `${one.record},${one.previous},${one.links},${one.store}`;
  const on = node
    ? `${node.slot[0]}${node.os}${node.runs}.${node.step}${node.target}${node.unsynced.map(disk)}`
    : '';
  return `${disk(state)};${state.active}${state.passive}${Number(state.mislabelled)}${state.next[0] ?? ''}${Number(state.enable)}${Number(state.tentative)}${state.early.join('')}${state.data};${on}`;
}

/** Pairs that the records call good or once good, as `os * 3 + set`. */
export function provenPairs(records: Records): ReadonlySet<number> {
  return new Set(
    records.generations
      .filter(({ state }) => state === 'good' || state === 'superseded')
      .map((pair) => osOf(pair) * 3 + setOfPair(pair)),
  );
}
