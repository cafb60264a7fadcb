/**
 * What the main thread asks a hash worker to do. File descriptors belong to the process, so workers read and write through them.
 *
 * Hashes 4096-byte blocks, salt in front, into a run of digests: `blocks` blocks at `from` give hash blocks at `to` of `target` (bytes
 * from the start of each file). Workers that share `shared` share the work. `compare` reads the hash blocks instead of writing them.
 */
export interface LevelTask {
  readonly mode: 'write' | 'compare';
  readonly source: number;
  readonly from: number;
  readonly blocks: number;
  readonly target: number;
  readonly to: number;
  readonly salt: Uint8Array;
  /** Moves the blocks at the same time: to `to` of `target`; the source file is shortened from its end as they leave it. */
  readonly move?: { readonly target: number; readonly to: number };
  /** Int32: see SHARED. */
  readonly shared: SharedArrayBuffer;
  /** Which of the `workers` that share the level this is. */
  readonly worker: number;
  readonly workers: number;
}

/** Places in a level's shared memory: chunks taken, blocks hashed, the first differing block plus one, and what each worker has in hand. */
export const SHARED = { taken: 0, done: 1, mismatch: 2, inHand: 3 } as const;

/** In hand of a worker that has not begun. */
export const NOT_BEGUN = 0x7ffffffe;

/** A worker's answer. */
export type HashAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly message: string; readonly code: string | undefined };

/** Code of the failure that a file ended before the bytes it should hold. */
export const SHORTER = 'SHORTER';
