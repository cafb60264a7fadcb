import { MERGE_SERVICE } from '../effects/merge.ts';
import type { Host } from '../host/host.ts';
import { attempt } from '../life/say.ts';
import { ENABLED_FOLDER, isOurs, MERGED_RELEASES } from '../model/paths.ts';
import type { ExtensionFile } from '../model/types.ts';
import { enabledExtensions, foreignExtensions } from '../observe/store.ts';
import { runProgram } from '../programs.ts';
import { refusedAlone } from './merge-alone.ts';

/** `waiting`: systemd-sysext is at it, or has not begun. */
export type MergeState = 'merged' | 'waiting' | 'failed';

export function mergeState(host: Host, files: readonly ExtensionFile[]): MergeState {
  const merged = files.every(({ name }) => host.stat(`${MERGED_RELEASES}/extension-release.${name}`));
  if (merged) return 'merged';
  const state = property(host, 'ActiveState');
  return state === 'activating' || state === 'reloading' ? 'waiting' : 'failed';
}

function property(host: Host, name: string): string {
  return runProgram(host, 'systemctl', [
    'show',
    '--value',
    `--property=${name}`,
    MERGE_SERVICE,
  ]).stdout.trim();
}

/** Which enabled images systemd-sysext refuses, by name with what it says; one refused image fails the whole merge. */
export interface Refused {
  readonly ours: readonly string[];
  readonly foreign: readonly string[];
}

/** Asks for each image alone. Nothing is refused where that cannot be asked. */
export function refusedImages(host: Host): Refused {
  const enabled = enabledExtensions(host);
  const own = Object.keys(enabled).filter((name) => isOurs(enabled[name] ?? ''));
  const refused = (path: string) =>
    path.endsWith('.raw') ? attempt(host, () => refusedAlone(host, path)) : undefined;
  return {
    ours: own.flatMap((name) => {
      const why = refused(`${ENABLED_FOLDER}/${name}`);
      return why === undefined ? [] : [`${name}: ${why}`];
    }),
    foreign: foreignExtensions(host, enabled).flatMap(({ name, path }) =>
      refused(path) === undefined ? [] : [name],
    ),
  };
}
