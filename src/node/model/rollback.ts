import { edit, generation, setAside, setState } from './change.ts';
import { isWhole } from './choose.ts';
import { fit } from './datastore.ts';
import { type Decision, type Refusal, refusal } from './effects.ts';
import { slotLinks } from './links.ts';
import type { Observation } from './observation.ts';
import { persist } from './persist.ts';
import type { Generation, Records } from './types.ts';
import { supersede } from './verdict.ts';
import { missingFiles, title } from './words.ts';

export interface RollbackRequest {
  /** Generation, or null for the newest good one that is not running. */
  readonly to: number | null;
  /** Snapshot to put back although newer versions were good since, or null. Everything written since is lost. */
  readonly restore: string | null;
}

/** Goes back to a pair that was good with this operating system, by a reboot. */
export function rollback(
  records: Records,
  observation: Observation,
  { to, restore }: RollbackRequest,
): Decision | Refusal {
  if (records.retired) return refusal('this node is retired', 'take it up again: sextant-node adopt');
  const target = to === null ? previousGood(records, observation) : generation(records, to);
  if (!target)
    return refusal(
      to === null ? 'no earlier good generation for this operating system' : `no generation ${to}`,
      'see: sextant-node status',
    );
  const problem = refuse(records, observation, target, restore);
  if (problem) return problem;
  const { now } = observation;
  const turn = records.counter + 1;
  const free = setAside(records, now, `generation ${target.id} was asked for`);
  const chosen = setState(edit(free, target.id, { turn }), target.id, 'good', 'it was asked for again', now);
  const newest = supersede({ ...chosen, counter: turn }, target, now);
  const datastore =
    restore === null
      ? newest.datastore
      : { ...newest.datastore, version: target.kubernetes, trial: null, restore };
  const after = { ...newest, datastore };
  const why = `going back to ${title(target)}`;
  return {
    runs: null,
    why,
    records: after,
    effects: [
      ...persist(after, observation),
      ...slotLinks(after, observation),
      { do: 'run', action: { name: 'reboot', why } },
    ],
  };
}

function previousGood(records: Records, observation: Observation): Generation | undefined {
  return records.generations
    .filter(
      (pair) =>
        pair.os === observation.os &&
        pair.id !== records.boot?.generation &&
        (pair.state === 'good' || pair.state === 'superseded') &&
        isWhole(pair.files, observation),
    )
    .sort((left, right) => right.turn - left.turn)[0];
}

function refuse(
  records: Records,
  observation: Observation,
  target: Generation,
  restore: string | null,
): Refusal | undefined {
  if (target.os !== observation.os)
    return refusal(
      `${title(target)} is of another operating system`,
      'boot that slot; it runs by itself there',
    );
  if (target.state !== 'good' && target.state !== 'superseded')
    return refusal(`${title(target)} was never good: ${target.why}`, 'try it: sextant-node upgrade --again');
  if (!isWhole(target.files, observation))
    return refusal(
      `${title(target)}: ${missingFiles(target, observation)}`,
      'download it again: sextant-node upgrade',
    );
  if (records.datastore.restore !== null)
    return refusal('a datastore snapshot is waiting to be put back', 'reboot first');
  if (restore === null && fit(target, records.datastore) === 'no')
    return refusal(
      `${title(target)} cannot run on the datastore, which is of Kubernetes ${newestOnData(records)}`,
      'with its snapshot, losing all that was written since: --restore-datastore',
    );
  return undefined;
}

function newestOnData({ datastore }: Records): string {
  return datastore.trial?.version ?? datastore.version;
}
