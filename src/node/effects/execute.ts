import { type Failure, toFailure } from '../failure.ts';
import { type Host, HostError } from '../host/host.ts';
import type { Action, Decision, Effect } from '../model/effects.ts';
import { act } from './actions.ts';

/** How far a list of effects got. */
export interface Execution {
  /** Effects that were done, from the beginning of the list. */
  readonly done: number;
  /** The one that failed, after which nothing more was done; or null. */
  readonly failed: { readonly effect: Effect; readonly failure: Failure } | null;
}

/** What carries out an action; `act` on a node. */
export type Actor = (host: Host, action: Action) => void;

/** Executes effects in order and stops at the first failure. Each is one system call or one program; nothing is done besides them. */
export function execute(host: Host, effects: readonly Effect[], actor: Actor = act): Execution {
  for (const [done, effect] of effects.entries()) {
    try {
      perform(host, effect, actor);
    } catch (error) {
      return { done, failed: { effect, failure: toFailure(error) } };
    }
  }
  return { done: effects.length, failed: null };
}

/** For commands: executes a decision, and throws the failure of the effect that failed. */
export function carryOut(host: Host, { effects }: Pick<Decision, 'effects'>, actor: Actor = act): void {
  const { failed } = execute(host, effects, actor);
  if (failed) throw failed.failure;
}

function perform(host: Host, effect: Effect, actor: Actor): void {
  switch (effect.do) {
    case 'make-folder':
      host.mkdir(effect.path, 0o755);
      return;
    case 'write':
      // A file that is new is not open elsewhere and no link to elsewhere.
      host.unlink(effect.path);
      host.writeNew(effect.path, effect.text, 0o644);
      return;
    case 'sync-file':
    case 'sync-folder':
      host.sync(effect.path);
      return;
    case 'rename':
      host.rename(effect.from, effect.to);
      return;
    case 'hard-link':
      host.link(effect.from, effect.to);
      return;
    case 'symlink':
      host.symlink(effect.target, effect.path);
      return;
    case 'unlink':
      host.unlink(effect.path);
      return;
    case 'remove-folder':
      removeEmpty(host, effect.path);
      return;
    case 'run':
      actor(host, effect.action);
      return;
  }
}

function removeEmpty(host: Host, path: string): void {
  try {
    host.rmdir(path);
  } catch (error) {
    if (!(error instanceof HostError) || error.errno !== 'ENOTEMPTY') throw error;
  }
}
