import type { Command } from './command.ts';
import { doctor } from './doctor.ts';
import { BOOT, SHUTDOWN, WATCH } from './life.ts';

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [doctor, BOOT, WATCH, SHUTDOWN];
