import { Failure, toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';

/** Written by the cloud-config's `files`; also holds what the trial's settings are. */
export const PREFERENCES_FILE = '/etc/sextant/settings.json';

export interface Preferences {
  /** True: the extension adopts the node by itself after its first merge. */
  readonly adopt: boolean;
  /** Folder for `sextant.prom`; written to only where there is such a folder. */
  readonly textfileFolder: string;
  /** False: the node's object in the cluster is left alone. */
  readonly nodeLabels: boolean;
}

const DEFAULTS: Preferences = {
  adopt: false,
  textfileFolder: '/var/lib/node_exporter/textfile_collector',
  nodeLabels: true,
};

/** What the settings file says, defaults for the rest. Throws `input` naming every value that is wrong; other names are not looked at. */
export function readPreferences(host: Host): Preferences {
  const text = host.readText(PREFERENCES_FILE);
  if (text === undefined) return DEFAULTS;
  const hint = 'correct it where it is written: the cloud-config in /oem';
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
    if (typeof value !== 'object' || value === null) throw new Error();
  } catch {
    throw new Failure('input', `${PREFERENCES_FILE}: not a JSON object`, hint);
  }
  const { adopt, textfileFolder, nodeLabels } = { ...DEFAULTS, ...value };
  const problems = [
    ...(typeof adopt === 'boolean' ? [] : ['adopt: true or false expected']),
    ...(typeof textfileFolder === 'string' && textfileFolder.startsWith('/')
      ? []
      : ['textfileFolder: an absolute path expected']),
    ...(typeof nodeLabels === 'boolean' ? [] : ['nodeLabels: true or false expected']),
  ];
  if (problems.length > 0) throw new Failure('input', `${PREFERENCES_FILE}: ${problems.join('; ')}`, hint);
  return { adopt, textfileFolder, nodeLabels };
}

/** The same for what must go on with a settings file that is wrong: then the defaults, and why. */
export function preferencesOrDefaults(host: Host): {
  readonly preferences: Preferences;
  readonly problem: string | null;
} {
  try {
    return { preferences: readPreferences(host), problem: null };
  } catch (error) {
    return { preferences: DEFAULTS, problem: toFailure(error).message };
  }
}
