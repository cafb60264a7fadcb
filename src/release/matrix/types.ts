import type { Architecture } from '../../support/architecture.ts';
import type { SextantError } from '../../support/errors.ts';
import type { Release } from '../types.ts';

export type RowState =
  | 'waiting'
  | 'locking'
  | 'checking'
  | 'building'
  /** Made just now. */
  | 'built'
  /** Its folder held it already, every file as its checksum says. */
  | 'present'
  /** Published and unchanged: not built. */
  | 'published'
  /** The same version as another row of the matrix, which builds it. */
  | 'same'
  | 'failed'
  /** Not begun, or cut short, when the whole was interrupted. */
  | 'interrupted';

/** One release of the matrix as far as it is. */
export interface Row {
  /** "k3s-1.36" */
  readonly id: string;
  readonly distribution: string;
  /** Version as the recipe asks for it. */
  readonly asked: string;
  readonly architectures: readonly Architecture[];
  state: RowState;
  /** Version as the lock has it, once it is known. */
  version?: string;
  /** What is going on, or why it ended as it did. */
  note: string;
  /** Folder of the release, once it is known; it is there when `state` is built or present. */
  folder?: string;
  release?: Release;
  error?: SextantError;
  /** Milliseconds since 1970. */
  began?: number;
  ended?: number;
}

/** What a person wants to see while a matrix is built. */
export interface MatrixView {
  /** A row's state or note has changed. */
  changed(row: Row): void;
  /** Something worth keeping: a warning. */
  said(row: Row, line: string): void;
}
