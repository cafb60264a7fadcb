import type { Stage } from '../stage.ts';

export interface Scenario {
  /** What `sextant lab test NAME` takes. */
  readonly name: string;
  /** What it shows, and no more than that. */
  readonly sentence: string;
  run(stage: Stage): Promise<void>;
}
