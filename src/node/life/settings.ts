import { PREFERENCES_FILE } from '../events/preferences.ts';
import type { Host } from '../host/host.ts';
import { DEFAULT_SETTINGS, type Settings } from '../model/types.ts';

/** What a node's cloud-config may set about trials (`/etc/sextant/settings.json`, docs/generations.md); all in whole seconds but `tries`. */
export interface LifeSettings extends Settings {
  /** Most that one check in /etc/sextant/health.d may take. */
  readonly checkSeconds: number;
  /** Hang of the machine after which a hardware watchdog restarts it during a trial; 0 leaves the watchdog alone. */
  readonly watchdogSeconds: number;
  /** Most that a merge may take; Kairos' own limit is 5. */
  readonly mergeSeconds: number;
}

export const DEFAULT_LIFE_SETTINGS: LifeSettings = {
  ...DEFAULT_SETTINGS,
  checkSeconds: 30,
  watchdogSeconds: 120,
  mergeSeconds: 120,
};

/** Those that the records keep. */
export function trialSettings({ tries, patienceSeconds, settleSeconds }: Settings): Settings {
  return { tries, patienceSeconds, settleSeconds };
}

const DAY = 24 * 60 * 60;
const BOUNDS: Readonly<Record<keyof LifeSettings, readonly [least: number, most: number]>> = {
  tries: [1, 100],
  patienceSeconds: [10, 7 * DAY],
  settleSeconds: [1, DAY],
  checkSeconds: [1, 3600],
  watchdogSeconds: [0, 3600],
  mergeSeconds: [5, 3600],
};

export interface ReadSettings {
  readonly settings: LifeSettings;
  /** What is wrong in the file, one phrase each; the defaults hold in the place of what is wrong. */
  readonly problems: readonly string[];
}

/** The settings of this node. A wrong value is never a reason not to boot. */
export function readSettings(host: Host): ReadSettings {
  const problem = (what: string) => ({
    settings: DEFAULT_LIFE_SETTINGS,
    problems: [`${PREFERENCES_FILE}: ${what}`],
  });
  let value: unknown;
  try {
    const text = host.readText(PREFERENCES_FILE);
    if (text === undefined) return { settings: DEFAULT_LIFE_SETTINGS, problems: [] };
    value = JSON.parse(text);
  } catch {
    return problem('cannot be read as JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return problem('not a JSON object');
  return checked(value as Readonly<Record<string, unknown>>);
}

function checked(given: Readonly<Record<string, unknown>>): ReadSettings {
  const settings: { -readonly [Name in keyof LifeSettings]: number } = { ...DEFAULT_LIFE_SETTINGS };
  const problems: string[] = [];
  for (const name of Object.keys(BOUNDS) as (keyof LifeSettings)[]) {
    const number = given[name];
    const [least, most] = BOUNDS[name];
    if (number === undefined) continue;
    if (Number.isSafeInteger(number) && (number as number) >= least && (number as number) <= most)
      settings[name] = number as number;
    else problems.push(`${PREFERENCES_FILE}: ${name}: a whole number from ${least} to ${most} expected`);
  }
  return { settings, problems };
}
