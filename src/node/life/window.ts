import { PREFERENCES_FILE } from '../events/preferences.ts';
import { Failure, toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { DEFAULT_ENVIRONMENT } from '../host/host.ts';
import { runProgram } from '../programs.ts';

/** When a trial may begin by itself: from `start`, a calendar event of systemd.time(7), for so many minutes. By the node's clock. */
export interface MaintenanceWindow {
  readonly start: string;
  readonly minutes: number;
}

const LONGEST_MINUTES = 7 * 24 * 60;
const HINT = `set in ${PREFERENCES_FILE}: "window": {"start": "Sat 02:00", "minutes": 180}`;

/** The window that the settings name, or undefined. Throws `input` for one that cannot be understood; another wrong setting is not looked at. */
export function maintenanceWindow(host: Host): MaintenanceWindow | undefined {
  let value: unknown;
  try {
    value = (JSON.parse(host.readText(PREFERENCES_FILE) ?? '{}') as { window?: unknown } | null)?.window;
  } catch {
    throw new Failure('input', `${PREFERENCES_FILE}: not a JSON object`, HINT);
  }
  if (value === undefined) return undefined;
  const { start, minutes } = (value ?? {}) as Partial<MaintenanceWindow>;
  const whole =
    Number.isSafeInteger(minutes) && (minutes as number) > 0 && (minutes as number) <= LONGEST_MINUTES;
  if (typeof start !== 'string' || start === '' || start.startsWith('-') || !whole)
    throw new Failure('input', `${PREFERENCES_FILE}: window: a start and minutes expected`, HINT);
  return { start, minutes: minutes as number };
}

/** Whether its last start was less than its minutes ago. Throws `input` where systemd does not understand the start. */
export function windowIsOpen(host: Host, { start, minutes }: MaintenanceWindow): boolean {
  try {
    const { stdout } = runProgram(
      host,
      'systemd-analyze',
      ['calendar', `--base-time=-${minutes} minutes`, start],
      {
        env: { ...DEFAULT_ENVIRONMENT, LC_ALL: 'C' },
      },
    );
    // The first start after that time: in the past, or still to come.
    return /^ *From now: .*\bago$/m.test(stdout);
  } catch (error) {
    const failure = toFailure(error);
    if (!/calendar|parse/i.test(failure.message)) throw failure;
    throw new Failure(
      'input',
      `${PREFERENCES_FILE}: window: "${start}" is not a time that systemd understands`,
      HINT,
    );
  }
}

export function windowText({ start, minutes }: MaintenanceWindow): string {
  return `the maintenance window (${start}, ${minutes} min)`;
}
