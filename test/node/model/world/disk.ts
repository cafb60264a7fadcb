import type { Action, Effect } from '../../../../src/node/model/effects.ts';
import { PREVIOUS_FILE, RECORD_FILE } from '../../../../src/node/model/paths.ts';

/**
 * A disk with a volatile and a durable half. A file's bytes are durable after fsync of the file, a name after fsync of its folder; a crash
 * keeps any subset of the name changes since, in their order, and of a file that was not synced all of it, a part or nothing.
 */

/** What a disk holds as far as the world looks: tokens for texts, targets for links. Missing is absent. */
export interface Image {
  readonly files: Readonly<Record<string, string>>;
}
export const TORN = 'torn';

/** One way a list of effects can end: what is durable, which actions were done, and which one was cut. */
export interface Ending {
  readonly image: Image;
  readonly done: readonly Action[];
  readonly cut: Action | null;
}
export interface Played {
  /** Everything executed. */
  readonly finished: Image;
  /** What a crash right after that leaves; one image equal to `finished` when all was synced. */
  readonly after: readonly Image[];
  readonly actions: readonly Action[];
  /** Crashes before the end. */
  readonly crashes: readonly Ending[];
  /** What is visible when an effect that needs space fails, or an action that can be half done. */
  readonly full: readonly Ending[];
  /** An effect that must not fail did: its number and what went wrong. */
  readonly fault: string | null;
}

interface Inode {
  token: string;
  synced: boolean;
}
type Names = Map<string, Inode>;
interface Change {
  readonly folder: string;
  readonly apply: (names: Names) => void;
}

const NEEDS_SPACE = new Set(['write', 'symlink', 'hard-link', 'make-folder']);
const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
const isVolatile = (path: string) => path.startsWith('/run/');

export function play(effects: readonly Effect[], start: Image): Played {
  const names: Names = new Map();
  for (const [path, token] of Object.entries(start.files)) names.set(path, { token, synced: true });
  let durable: Names = new Map([...names].filter(([path]) => !isVolatile(path)));
  let pending: Change[] = [];
  const actions: Action[] = [];
  const crashes: Ending[] = [];
  const full: Ending[] = [];
  let fault: string | null = null;
  const change = (folder: string, apply: (names: Names) => void) => {
    apply(names);
    if (!isVolatile(`${folder}/`)) pending.push({ folder, apply });
  };
  for (const [number, effect] of effects.entries()) {
    const done = [...actions];
    for (const image of images(durable, pending)) crashes.push({ image, done, cut: null });
    if (effect.do === 'run' && actionTakesTime(effect.action)) {
      for (const image of images(durable, pending)) crashes.push({ image, done, cut: effect.action });
    }
    if (NEEDS_SPACE.has(effect.do) && !isVolatile('path' in effect ? `${effect.path}/` : '/')) {
      full.push({ image: visible(names), done, cut: null });
    }
    if (effect.do === 'run' && actionTakesTime(effect.action)) {
      full.push({ image: visible(names), done, cut: effect.action });
    }
    const failure = execute(effect);
    if (failure) {
      fault = `effect ${number} (${effect.do}): ${failure}`;
      break;
    }
  }
  return { finished: visible(names), after: images(durable, pending), actions, crashes, full, fault };

  function execute(effect: Effect): string | null {
    switch (effect.do) {
      case 'make-folder':
      case 'remove-folder':
        return null;
      case 'write': {
        const there = names.get(effect.path);
        if (there) {
          // Truncated and written again: the same file under all its names.
          there.token = effect.text;
          there.synced = isVolatile(effect.path);
          return null;
        }
        const inode = { token: effect.text, synced: isVolatile(effect.path) };
        change(folderOf(effect.path), (all) => all.set(effect.path, inode));
        return null;
      }
      case 'sync-file': {
        const inode = names.get(effect.path);
        if (!inode) return `${effect.path} is missing`;
        inode.synced = true;
        return null;
      }
      case 'sync-folder': {
        durable = new Map(durable);
        for (const one of pending) if (one.folder === effect.path) one.apply(durable);
        pending = pending.filter((one) => one.folder !== effect.path);
        return null;
      }
      case 'rename': {
        if (!names.has(effect.from)) return `${effect.from} is missing`;
        change(folderOf(effect.to), (all) => {
          const inode = all.get(effect.from);
          if (!inode) return;
          all.delete(effect.from);
          all.set(effect.to, inode);
        });
        return null;
      }
      case 'hard-link': {
        if (!names.has(effect.from)) return `${effect.from} is missing`;
        if (names.has(effect.to)) return `${effect.to} exists`;
        change(folderOf(effect.to), (all) => {
          const inode = all.get(effect.from);
          if (inode) all.set(effect.to, inode);
        });
        return null;
      }
      case 'symlink': {
        if (names.has(effect.path)) return `${effect.path} exists`;
        const inode = { token: effect.target, synced: true };
        change(folderOf(effect.path), (all) => all.set(effect.path, inode));
        return null;
      }
      case 'unlink':
        change(folderOf(effect.path), (all) => all.delete(effect.path));
        return null;
      case 'run':
        actions.push(effect.action);
        return null;
    }
  }
}

/** Actions that a crash can cut short with something half done. */
function actionTakesTime({ name }: Action): boolean {
  return name === 'restore-snapshot';
}

function visible(names: Names): Image {
  return { files: Object.fromEntries([...names].map(([path, { token }]) => [path, token])) };
}

/** Every image that a crash now may leave. */
function images(durable: Names, pending: readonly Change[]): Image[] {
  const found = new Map<string, Image>();
  for (let kept = 0; kept < 1 << pending.length; kept++) {
    const names: Names = new Map(durable);
    for (const [index, change] of pending.entries()) if (kept & (1 << index)) change.apply(names);
    for (const torn of [false, true]) {
      const files = Object.fromEntries(
        [...names]
          .filter(([path]) => matters(path))
          .map(([path, { token, synced }]) => [path, torn && !synced ? TORN : token]),
      );
      found.set(Object.entries(files).sort().join(), { files });
    }
  }
  return [...found.values()];
}

/** Temporary names are left behind by every crash: each list of effects starts with all of them there, see `withLeftovers`. */
function matters(path: string): boolean {
  return path === RECORD_FILE || path === PREVIOUS_FILE || path.endsWith('.raw');
}
