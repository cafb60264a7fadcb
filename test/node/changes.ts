import type { Host } from '../../src/node/host/host.ts';

/** Calls of the host that change something. */
export const CHANGES = [
  'writeNew',
  'copyNew',
  'sync',
  'rename',
  'symlink',
  'link',
  'unlink',
  'rmdir',
  'mkdir',
  'run',
] as const;
export type Change = (typeof CHANGES)[number];

/** The changing calls of a host with `before` called in front of each; what it throws happens instead of the change. */
export function guardedChanges(host: Host, before: (name: Change, path: string) => void): Pick<Host, Change> {
  const guarded = CHANGES.map((name) => {
    const change = host[name] as (...args: unknown[]) => unknown;
    const call = (...args: unknown[]) => {
      before(name, String(['rename', 'link', 'symlink'].includes(name) ? args[1] : args[0]));
      return change(...args);
    };
    return [name, call] as const;
  });
  return Object.fromEntries(guarded) as unknown as Pick<Host, Change>;
}
