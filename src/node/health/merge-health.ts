import { MERGE_SERVICE } from '../effects/merge.ts';
import type { Host } from '../host/host.ts';
import { ENABLED_FOLDER, isOurs, MERGED_RELEASES } from '../model/paths.ts';
import type { ExtensionFile } from '../model/types.ts';
import { enabledExtensions, foreignExtensions } from '../observe/store.ts';
import { findProgram, runProgram } from '../programs.ts';

/** Kairos' own policy, for a service whose command line does not say one. */
const USUAL_POLICY = 'root=verity+absent:usr=verity+absent';

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

/** Asks for each image alone, under the policy of this boot. Nothing is refused where that cannot be asked. */
export function refusedImages(host: Host): Refused {
  if (!findProgram(host, 'systemd-dissect')) return { ours: [], foreign: [] };
  const policy = /--image-policy="?([^"\s;]+)/.exec(property(host, 'ExecStart'))?.[1] ?? USUAL_POLICY;
  const enabled = enabledExtensions(host);
  const own = Object.keys(enabled).filter((name) => isOurs(enabled[name] ?? ''));
  const refused = (path: string): string | undefined => {
    if (!path.endsWith('.raw')) return undefined;
    const { ended, code, stderr } = host.run(
      ['systemd-dissect', '--validate', `--image-policy=${policy}`, path],
      { timeoutSeconds: 60 },
    );
    if (ended !== 'exit' || /(unrecognized|invalid|unknown) option/i.test(stderr)) return undefined;
    return code === 0 ? undefined : stderr.trim().split('\n').at(-1) || 'not valid';
  };
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
