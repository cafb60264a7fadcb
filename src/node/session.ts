import { act } from './effects/actions.ts';
import { carryOut } from './effects/execute.ts';
import { publish } from './events/publish.ts';
import { Failure } from './failure.ts';
import type { Host } from './host/host.ts';
import { type Decision, type Effect, isRefusal, type Refusal } from './model/effects.ts';
import type { Observation } from './model/observation.ts';
import type { ExtensionFile, Records } from './model/types.ts';
import { observe } from './observe/observe.ts';
import { exclusively, requireRecords } from './records-file.ts';

/** What a command decides from. */
export interface Session {
  readonly host: Host;
  readonly records: Records;
  readonly observation: Observation;
  /** What a person has to know of the records themselves, or null. */
  readonly note: string | null;
}

/** Seconds that a command waits for another sextant-node: the watch holds the lock for moments only. */
const PATIENCE_SECONDS = 30;

/** Throws `filesystem` for anyone but root: the records and the slots are root's. */
export function requireRoot(host: Host, command: string): void {
  if (host.userId() === 0) return;
  throw new Failure('filesystem', `${command}: only root can do this`, `sudo sextant-node ${command}`);
}

/** Reads the records and looks at the node. `files` are looked for in the store besides the recorded ones. */
export function openSession(host: Host, files: readonly ExtensionFile[] = []): Session {
  const { records, recordFile, note } = requireRecords(host);
  return { host, records, observation: observe(host, { records, files, recordFile }), note };
}

/** One decision of the model, as the only sextant-node at work: read, decide, carry out, tell. */
export function decideAndDo(
  host: Host,
  decide: (session: Session) => Decision | Refusal,
  files: readonly ExtensionFile[] = [],
): Decision {
  return exclusively(host, PATIENCE_SECONDS, () => {
    const session = openSession(host, files);
    return carryOutDecision(session, accepted(decide(session)));
  });
}

/** A refusal of the model as the failure that a person reads. */
export function accepted(outcome: Decision | Refusal): Decision {
  if (isRefusal(outcome)) throw new Failure('refused', outcome.message, outcome.hint);
  return outcome;
}

/** The effects, with what happened told before the machine goes down. */
export function carryOutDecision({ host, records }: Session, decision: Decision): Decision {
  host.deferTermination(); // What was begun is brought to its end, also when the terminal is lost.
  const { effects } = decision;
  const last = effects.at(-1);
  const leaves = last !== undefined && isRestart(last);
  carryOut(host, { effects: leaves ? effects.slice(0, -1) : effects }, act);
  publish(host, records, decision.records, true);
  if (leaves) carryOut(host, { effects: [last] }, act);
  return decision;
}

export function isRestart(effect: Effect): boolean {
  return effect.do === 'run' && (effect.action.name === 'reboot' || effect.action.name === 'boot-other-slot');
}

/** The whole number a person gave for a generation. Throws `usage`. */
export function generationNumber(word: string, command: string): number {
  if (/^[1-9]\d{0,8}$/.test(word)) return Number(word);
  throw new Failure(
    'usage',
    `${command}: "${word}" is no generation`,
    'a generation is a number; see: sextant-node status',
  );
}
