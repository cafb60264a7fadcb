import type { Stage } from '../stage.ts';

export interface Scenario {
  /** What `sextant lab test NAME` takes. */
  readonly name: string;
  /** What it shows, and no more than that. */
  readonly sentence: string;
  /** Guests that it has at once, when not one. */
  readonly guests?: number;
  /** Its guests' disks have no boot loader that a BIOS finds: `sextant lab up --disk` cannot start what it leaves. */
  readonly noBiosLoader?: boolean;
  run(stage: Stage): Promise<void>;
}
