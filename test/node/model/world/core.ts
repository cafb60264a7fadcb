import { decideBoot } from '../../../../src/node/model/decide-boot.ts';
import { collect } from '../../../../src/node/model/housekeeping.ts';
import { rollback } from '../../../../src/node/model/rollback.ts';
import type { DatastoreKind } from '../../../../src/node/model/types.ts';
import { upgrade } from '../../../../src/node/model/upgrade.ts';
import { giveBack, verdict } from '../../../../src/node/model/verdict.ts';

/** What is explored: the product's functions, or a mutant's. */
export interface Core {
  readonly decideBoot: typeof decideBoot;
  readonly verdict: typeof verdict;
  readonly giveBack: typeof giveBack;
  readonly upgrade: typeof upgrade;
  readonly rollback: typeof rollback;
  readonly collect: typeof collect;
}
export const CORE: Core = { decideBoot, verdict, giveBack, upgrade, rollback, collect };

/** Size of the world and what happens in it. */
export interface Scope {
  /** How many operating systems and sets there are, at most 3 each. */
  readonly systems: number;
  readonly sets: readonly number[];
  readonly tries: number;
  readonly datastore: DatastoreKind;
  /** Operators delete files, links and records; the previous copy of the records is followed. */
  readonly faults: boolean;
  /** Disk full at any write, and every action fails. */
  readonly full: boolean;
}

/** An invariant that does not hold. */
export class Violation extends Error {
  readonly invariant: string;
  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}
