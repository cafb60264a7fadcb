import type { Action, Decision, Effect } from '../../../../src/node/model/effects.ts';
import type { Observation } from '../../../../src/node/model/observation.ts';
import {
  ENABLED_FOLDER,
  NEW_FILE,
  NEW_PREVIOUS_FILE,
  PREVIOUS_FILE,
  RECORD_FILE,
  slotFolder,
  storeFile,
  temporaryLink,
} from '../../../../src/node/model/paths.ts';
import { parseRecords } from '../../../../src/node/model/records-text.ts';
import { type Image, type Played, play, TORN } from './disk.ts';
import { enabledTarget, FILES, LINK, linkTarget, targetSet } from './facts.ts';
import { DAMAGED, type Disk, type Interned, MISSING, UNTRACKED } from './state.ts';

/** A decision executed on a disk, with all the ways in which a crash or a full disk ends it. */
export interface Outcome {
  readonly disk: Disk;
  /** Set linked in /run/extensions at the end. */
  readonly enabled: number;
  readonly actions: readonly Action[];
  /** What a crash after the end leaves, when that is not just `disk`. */
  readonly unsynced: readonly Disk[];
  readonly crashes: readonly {
    readonly disk: Disk;
    readonly done: readonly Action[];
    readonly cut: Action | null;
  }[];
  readonly full: readonly {
    readonly disk: Disk;
    readonly enabled: number;
    readonly done: readonly Action[];
    readonly cut: Action | null;
  }[];
  readonly fault: string | null;
}

const ACTIVE = `${slotFolder('active')}/${LINK}`;
const PASSIVE = `${slotFolder('passive')}/${LINK}`;
const ENABLED = `${ENABLED_FOLDER}/${LINK}`;
/** Every temporary name is there from a crash before. */
const LEFTOVERS: Readonly<Record<string, string>> = {
  [NEW_FILE]: 'left over',
  [NEW_PREVIOUS_FILE]: 'previous',
  ...Object.fromEntries(
    FILES.flatMap((file, set) =>
      (['active', 'passive'] as const).map((slot) => [
        temporaryLink(slotFolder(slot), file),
        linkTarget(set),
      ]),
    ),
  ),
};

/** Decisions already executed from the same disk and view, by what was asked: the world meets each many times. */
export class Memo {
  private readonly known = new Map<string, unknown>();
  of<T>(key: string, make: () => T): T {
    const before = this.known.get(key);
    if (before !== undefined) return before as T;
    const made = make();
    this.known.set(key, made);
    return made;
  }
}

const played = new Map<string, Played>();

export function perform(
  decision: Decision,
  start: Disk,
  enabled: number,
  observation: Observation,
  interned: Interned,
): Outcome {
  const texts: string[] = [];
  const effects = decision.effects.map((effect): Effect => {
    if (effect.do !== 'write' || !effect.text.startsWith('{')) return effect;
    return { ...effect, text: `text${texts.push(effect.text) - 1}` };
  });
  const image = startImage(start, enabled, observation);
  const key = `${effects.map((effect) => Object.values(effect).map(plain).join(' ')).join('\n')}\n${Object.entries(image.files).join()}`;
  let result = played.get(key);
  if (!result) {
    result = play(effects, image);
    played.set(key, result);
  }
  const numbers = texts.map((text) => {
    const parsed = parseRecords(text, RECORD_FILE);
    return parsed.ok ? interned.number(parsed.records, true) : DAMAGED;
  });
  const record = (token: string | undefined): number => {
    if (token === undefined) return MISSING;
    if (token === TORN || token === 'damaged') return DAMAGED;
    if (token === 'old') return start.record;
    if (token === 'previous') return start.previous;
    return numbers[Number(token.slice(4))] ?? DAMAGED;
  };
  const diskOf = ({ files }: Image): Disk => ({
    record: record(files[RECORD_FILE]),
    previous: start.previous === UNTRACKED ? UNTRACKED : record(files[PREVIOUS_FILE]),
    links: [targetSet(files[ACTIVE]), targetSet(files[PASSIVE])],
    store: FILES.reduce((bits, file, set) => bits | (files[storeFile(file)] === undefined ? 0 : 1 << set), 0),
  });
  const disk = diskOf(result.finished);
  const after = result.after.map(diskOf);
  const synced = after.every((one) => JSON.stringify(one) === JSON.stringify(disk));
  return {
    disk,
    enabled: targetSet(result.finished.files[ENABLED]),
    actions: result.actions,
    unsynced: synced ? [] : after,
    crashes: distinct(
      result.crashes.map(({ image: left, done, cut }) => ({ disk: diskOf(left), done, cut })),
    ),
    full: distinct(
      result.full.map(({ image: left, done, cut }) => ({
        disk: diskOf(left),
        enabled: targetSet(left.files[ENABLED]),
        done,
        cut,
      })),
    ),
    fault: result.fault,
  };
}

function plain(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const action = value as Action;
  return `${action.name} ${'slot' in action ? action.slot : ''}${'snapshot' in action ? action.snapshot : ''}`;
}

function distinct<T>(all: readonly T[]): readonly T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

function startImage(start: Disk, enabled: number, { recordFile }: Observation): Image {
  const files: Record<string, string> = { ...LEFTOVERS };
  if (start.record !== MISSING) files[RECORD_FILE] = recordFile === 'whole' ? 'old' : 'damaged';
  if (start.previous !== MISSING) files[PREVIOUS_FILE] = start.previous === DAMAGED ? 'damaged' : 'previous';
  if (start.links[0] >= 0) files[ACTIVE] = linkTarget(start.links[0]);
  if (start.links[1] >= 0) files[PASSIVE] = linkTarget(start.links[1]);
  if (enabled >= 0) files[ENABLED] = enabledTarget(enabled);
  for (const [set, file] of FILES.entries()) if (start.store & (1 << set)) files[storeFile(file)] = 'whole';
  return { files };
}

/** Digest folders of the store, for `collect`. */
export function storedFolders(store: number): Record<string, string[]> {
  return Object.fromEntries(
    FILES.filter((_, set) => store & (1 << set)).map(({ sha256 }) => [sha256, [LINK]]),
  );
}
