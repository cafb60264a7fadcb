import type { Observation } from '../../../../src/node/model/observation.ts';
import { linkName, storeFile, storeLink } from '../../../../src/node/model/paths.ts';
import type { DatastoreKind, ExtensionFile, UsualSlot } from '../../../../src/node/model/types.ts';

/** The three operating systems and three extensions of the world. 0 and 1 are of one minor version of Kubernetes, 2 of the next. */
export const OS_COUNT = 3;
export const SET_COUNT = 3;
export const KUBERNETES = ['v1.33.1+k3s1', 'v1.33.2+k3s1', 'v1.34.0+k3s1'] as const;
export const minorOf = (set: number) => (set === 2 ? 1 : 0);
export const osId = (os: number) => `os-${os}`;
export const FILES: readonly ExtensionFile[] = ['a', 'b', 'c'].map((letter) => ({
  name: 'provider-kairos',
  sha256: letter.repeat(64),
  rootHash: letter.repeat(64),
  size: 1,
}));
export const LINK = linkName(FILES[0] as ExtensionFile);
export const setOf = (digest: string) => 'abc'.indexOf(digest.charAt(0));
export const fileOf = (set: number) => FILES[set] as ExtensionFile;
export const linkTarget = (set: number) => storeLink(fileOf(set));
export const enabledTarget = (set: number) => storeFile(fileOf(set));
/** The set that a link's target names, -1 for no link. */
export const targetSet = (target: string | undefined) =>
  target === undefined ? -1 : setOf(/\/sextant\/([0-9a-f])/.exec(target)?.[1] ?? '');

/** What the hands would see. `enabled`: the set linked in /run/extensions. */
export function observe(facts: {
  readonly slot: UsualSlot;
  readonly os: number;
  readonly active: number;
  readonly passive: number;
  /** passive.img is there and cannot be booted. */
  readonly mislabelled: boolean;
  readonly store: number;
  readonly links: readonly [number, number];
  readonly enabled: number;
  readonly assessing: boolean;
  readonly writable: boolean;
  readonly recordWhole: boolean;
  readonly datastore: DatastoreKind;
}): Observation {
  const other = facts.slot === 'passive' ? facts.active : facts.mislabelled ? -1 : facts.passive;
  const otherSlot = facts.slot === 'active' ? 'passive' : 'active';
  const links = (set: number): Record<string, string> => (set < 0 ? {} : { [LINK]: linkTarget(set) });
  return {
    slot: facts.slot,
    os: osId(facts.os),
    osName: osId(facts.os),
    bootId: 'this',
    now: '',
    whole: FILES.filter((_, set) => facts.store & (1 << set)).map(({ sha256 }) => sha256),
    other: other < 0 ? null : { slot: otherSlot, os: osId(other) },
    installed: [facts.active, facts.passive].filter((os) => os >= 0).map(osId),
    grub: { upgradeFailure: false, assessing: facts.assessing },
    recordFile: facts.recordWhole ? 'whole' : 'other',
    links: { active: links(facts.links[0]), passive: links(facts.links[1]) },
    enabled: facts.enabled < 0 ? {} : { [LINK]: enabledTarget(facts.enabled) },
    foreign: [],
    writable: facts.writable,
    rootHashSidecar: true,
    configuration: null,
    datastore: facts.datastore,
  };
}
