import { act } from '../effects/actions.ts';
import { startKubernetes, stopKubernetes } from '../effects/kubernetes-units.ts';
import { Failure, toFailure } from '../failure.ts';
import { recordBaseline } from '../health/system-pods.ts';
import type { Host } from '../host/host.ts';
import { snapshotNames, takeSnapshot } from '../kubernetes/snapshot.ts';
import { attempt } from '../life/say.ts';
import { WATCH_UNIT } from '../life/units.ts';
import { generation } from '../model/change.ts';
import type { Decision } from '../model/effects.ts';
import * as model from '../model/upgrade.ts';
import { runProgram } from '../programs.ts';
import { exclusively } from '../records-file.ts';
import { accepted, carryOutDecision, openSession, type Session } from '../session.ts';
import type { UpgradePlan } from './upgrade-plan.ts';
import type { How } from './upgrade-text.ts';

/**
 * Puts a planned set, whole in the store, on trial: decides, takes the snapshot, records, then restarts or exchanges. Kubernetes runs again
 * when anything fails before the record is durable; after that the record says what the next boot does.
 */
export function beginTrial(host: Host, plan: UpgradePlan, how: How, again: boolean): Decision {
  host.deferTermination(); // A lost terminal must not leave Kubernetes stopped.
  return exclusively(host, 60, () => {
    const session = withDatastore(openSession(host, plan.files), plan);
    const snapshot = plan.snapshot === null ? null : newSnapshotName(host, session.records.counter + 1);
    const decision = decideTrial(session, plan, how, again, snapshot);
    rememberSystemPods(session);
    const stopped = snapshot === null ? [] : stopAndCopy(host, snapshot, plan);
    try {
      carryOutDecision(session, decision);
    } catch (error) {
      throw how === 'live' ? afterFailedExchange(host, error) : afterFailure(host, error, stopped);
    }
    if (how === 'live') {
      startKubernetes(host, stopped); // the exchange starts only what it stopped itself
      runProgram(host, 'systemctl', ['restart', '--no-block', WATCH_UNIT]);
    }
    return decision;
  });
}

/** What the trial is held to is how they were with the good pair right before it, not how they were at its verdict. */
function rememberSystemPods({ host, records }: Session): void {
  if (generation(records, records.boot?.generation ?? null)?.state !== 'good') return;
  attempt(host, () => recordBaseline(host));
}

/** Throws what the model refuses, before anything is fetched for it: as if all files were in the store. */
export function checkTrial(session: Session, plan: UpgradePlan, how: How, again: boolean): void {
  const { observation } = session;
  const whole = [...observation.whole, ...plan.files.map(({ sha256 }) => sha256)];
  const fetched = { ...session, observation: { ...observation, whole } };
  decideTrial(withDatastore(fetched, plan), plan, how, again, null);
}

function decideTrial(
  { records, observation }: Session,
  { files, release }: UpgradePlan,
  how: How,
  again: boolean,
  snapshot: string | null,
): Decision {
  const { version: kubernetes } = release;
  return accepted(model.upgrade(records, observation, { files, kubernetes, snapshot, how, again }));
}

/** What kind of datastore it is may have changed since the record was begun: a node is adopted before its first start of Kubernetes. */
function withDatastore(session: Session, { datastore: kind }: UpgradePlan): Session {
  const { records } = session;
  return { ...session, records: { ...records, datastore: { ...records.datastore, kind } } };
}

/** A name that no snapshot has: what one trial may need is never replaced by that of the next. */
function newSnapshotName(host: Host, id: number): string {
  const taken = new Set(snapshotNames(host));
  let name = String(id);
  for (let count = 2; taken.has(name); count += 1) name = `${id}-${count}`;
  return name;
}

function stopAndCopy(host: Host, snapshot: string, { from }: UpgradePlan): readonly string[] {
  const stopped = stopKubernetes(host);
  try {
    takeSnapshot(host, snapshot, from.kubernetes);
    return stopped;
  } catch (error) {
    startKubernetes(host, stopped);
    throw error;
  }
}

function afterFailure(host: Host, error: unknown, stopped: readonly string[]): Failure {
  if (stopped.length > 0) startKubernetes(host, stopped);
  const { code, message, hint } = toFailure(error);
  return new Failure(code, `the trial did not begin: ${message}`, hint ?? 'see: sextant-node status');
}

/** Half exchanged is no state to stay in: the trial, or what was good, starts from the beginning. */
function afterFailedExchange(host: Host, error: unknown): Failure {
  const { code, message } = toFailure(error);
  const failure = (also: string) =>
    new Failure(
      code,
      `the live exchange failed: ${message}${also}`,
      'the record decides at that boot; see: sextant-node status',
    );
  try {
    act(host, { name: 'reboot', why: 'the live exchange failed' });
    return failure('; the node restarts');
  } catch (second) {
    return failure(`; and it cannot be restarted: ${toFailure(second).message}`);
  }
}
