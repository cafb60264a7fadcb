import { adopt } from '../commands/adopt.ts';
import { certificates } from '../commands/certificates.ts';
import { explain } from '../commands/explain.ts';
import { follow } from '../commands/follow.ts';
import { gc } from '../commands/gc.ts';
import { history } from '../commands/history.ts';
import { pin, unpin } from '../commands/pin.ts';
import { retire } from '../commands/retire.ts';
import { rollback } from '../commands/rollback.ts';
import { status } from '../commands/status.ts';
import { upgrade } from '../commands/upgrade.ts';
import type { Command } from './command.ts';
import { doctor } from './doctor.ts';
import { BOOT, SHUTDOWN, WATCH } from './life.ts';

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [
  status,
  history,
  explain,
  upgrade,
  rollback,
  pin,
  unpin,
  gc,
  certificates,
  adopt,
  retire,
  doctor,
  BOOT,
  WATCH,
  follow,
  SHUTDOWN,
];
