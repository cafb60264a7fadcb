import type { Records } from './types.ts';

/** Programs of the node or of ours that an effect starts. Each may be repeated after a crash in the middle of it. */
export type Action =
  | { readonly name: 'reboot'; readonly why: string }
  /** Makes GRUB boot the other slot once, then reboots. */
  | { readonly name: 'boot-other-slot'; readonly slot: 'active' | 'passive'; readonly why: string }
  /** Clears enable_boot_assessment and boot_assessment_tentative on COS_STATE. */
  | { readonly name: 'clear-boot-assessment' }
  /** Puts the datastore back to this snapshot, Kubernetes stopped. Cut short, it can be repeated from the beginning. */
  | { readonly name: 'restore-snapshot'; readonly snapshot: string }
  /** Stops Kubernetes, merges what /run/extensions links now, starts Kubernetes. */
  | { readonly name: 'switch-live' }
  /** Stops Kubernetes and takes our extension out of the merge. */
  | { readonly name: 'stop' };

/**
 * One system call or one program. A list of effects is executed in order and stops at the first failure; a crash between any two is
 * harmless.
 */
export type Effect =
  /** mkdir(2), 0755; there already is fine. */
  | { readonly do: 'make-folder'; readonly path: string }
  /** Creates or truncates `path` and writes the whole text, 0644; does not sync. Used on temporary names only. */
  | { readonly do: 'write'; readonly path: string; readonly text: string }
  /** fsync(2) of a file. */
  | { readonly do: 'sync-file'; readonly path: string }
  /** fsync(2) of a folder. */
  | { readonly do: 'sync-folder'; readonly path: string }
  /** rename(2), replaces `to`. */
  | { readonly do: 'rename'; readonly from: string; readonly to: string }
  /** link(2); an existing `to` is an error. */
  | { readonly do: 'hard-link'; readonly from: string; readonly to: string }
  /** symlink(2); an existing `path` is an error. */
  | { readonly do: 'symlink'; readonly target: string; readonly path: string }
  /** unlink(2); missing is fine. */
  | { readonly do: 'unlink'; readonly path: string }
  /** rmdir(2); missing or not empty is fine. */
  | { readonly do: 'remove-folder'; readonly path: string }
  | { readonly do: 'run'; readonly action: Action };

/** What to do and what will then be recorded. */
export interface Decision {
  /** Generation that this boot runs, or null: nothing, or nothing changes. */
  readonly runs: number | null;
  /** One sentence for people. */
  readonly why: string;
  readonly records: Records;
  readonly effects: readonly Effect[];
}

/** Something asked for that is not done: what is wrong, and what to do instead. Nothing has changed. */
export interface Refusal {
  readonly refused: true;
  readonly message: string;
  readonly hint: string;
}

export function isRefusal(outcome: Decision | Refusal): outcome is Refusal {
  return 'refused' in outcome;
}

export function refusal(message: string, hint: string): Refusal {
  return { refused: true, message, hint };
}
