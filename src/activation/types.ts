import type { z } from 'zod';
import type { activationInput } from './input.ts';

/** What an activation file is made from, as a caller writes it: defaults may be left out. */
export type ActivationInput = z.input<typeof activationInput>;

/** The same, checked and with every default filled in. */
export type Activation = z.output<typeof activationInput>;

/** One file that yip writes on the node (`files:` of a stage). */
export interface NodeFile {
  readonly path: string;
  /** Permission bits, e.g. 0o644. */
  readonly mode: number;
  readonly content: string;
}
