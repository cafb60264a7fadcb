/** Something that upstream has and a lock has not. */
export interface News {
  readonly kind: 'distribution' | 'component' | 'tools' | 'lock';
  /** Distribution, component or tool. */
  readonly name: string;
  /** Version that the lock holds; empty where there is none. */
  readonly locked: string;
  /** What is there now. */
  readonly upstream: string;
  /**
   * Whether the recipe allows it, so that locking again would take it. What lies outside is told, because a recipe with exact versions
   * would never hear of anything.
   */
  readonly allowed: boolean;
  /** Where people read about it. */
  readonly link?: string;
}

/** What there is to say of one release of a recipe. */
export interface Watched {
  /** "k3s-1.36" */
  readonly id: string;
  readonly lockFile: string;
  /** The distribution's version in the lock; none where there is no lock. */
  readonly versions: readonly string[];
  readonly news: readonly News[];
  /** What was asked and had nothing newer, by name. */
  readonly current: readonly string[];
  /** What cannot be asked for newer versions, and why. */
  readonly silent: readonly { readonly name: string; readonly why: string }[];
  /** What the written lock has other than the one before; only when it was written. */
  readonly written?: LockChange;
}

/** How two locks differ: what a reviewer wants to know before reading the lines. */
export interface LockChange {
  readonly versions: readonly { readonly name: string; readonly before: string; readonly after: string }[];
  /** Files that only the new lock holds, or only the old one, and their bytes. */
  readonly added: { readonly files: number; readonly bytes: number };
  readonly removed: { readonly files: number; readonly bytes: number };
}
