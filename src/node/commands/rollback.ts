import type { Command } from '../cli/command.ts';
import { snapshotIndex } from '../effects/snapshot.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { etcdMembers } from '../kubernetes/datastore-kind.ts';
import { generation } from '../model/change.ts';
import { minor } from '../model/datastore.ts';
import * as model from '../model/rollback.ts';
import type { Generation, Records } from '../model/types.ts';
import { exclusively } from '../records-file.ts';
import { accepted, carryOutDecision, generationNumber, openSession, requireRoot } from '../session.ts';
import { capital, wrap } from './text.ts';

/** Back to a pair that was good, by a reboot. */
export const rollback: Command = {
  name: 'rollback',
  summary: 'go back to a generation that was good, by a reboot',
  words: [],
  options: [
    { name: 'to', value: 'GENERATION', summary: 'which one; default: the newest good one that does not run' },
    {
      name: 'restore-datastore',
      summary:
        'also put back the snapshot of before the upgrade that followed it; what was written since is lost',
    },
    { name: 'dry-run', summary: 'say what would be done, and do nothing' },
  ],
  run({ host, options }) {
    requireRoot(host, 'rollback');
    const word = options.get('to');
    const to = word === undefined ? null : generationNumber(word, 'rollback');
    exclusively(host, 30, () => {
      const session = openSession(host);
      const { records, observation } = session;
      const restore = options.has('restore-datastore') ? snapshotFor(host, records, to) : null;
      const decision = accepted(model.rollback(records, observation, { to, restore }));
      host.out(wrap(`${capital(decision.why)}, by a reboot.`));
      if (restore !== null)
        host.out(wrap(`The datastore goes back to the snapshot ${restore}; what was written since is lost.`));
      if (options.has('dry-run')) host.out('Nothing was done: --dry-run.\n');
      else carryOutDecision(session, decision);
    });
    return 0;
  },
};

/**
 * The snapshot that was taken while the target's version was the newest: the one before the first later trial. It is there, and whole, and of
 * the target's minor version, or this throws.
 */
function snapshotFor(host: Host, records: Records, to: number | null): string {
  if (to === null)
    throw new Failure(
      'usage',
      'rollback: --restore-datastore needs to be told to which generation',
      'sextant-node rollback --to GENERATION --restore-datastore',
    );
  const members = etcdMembers(host) ?? 1; // it may have been the only one when the snapshot was taken
  if (members > 1)
    throw new Failure(
      'refused',
      `${members} servers share the datastore: what one of them puts back is not that of the others`,
      'reset the cluster to one server first, as its distribution describes it',
    );
  const target = generation(records, to);
  const takenFrom = (pair: Generation) => pair.snapshot !== null && pair.id > to;
  const names = [...records.generations]
    .sort((left, right) => left.id - right.id)
    .filter(takenFrom)
    .map(({ snapshot }) => snapshot as string);
  const wanted = minor(target?.kubernetes ?? '');
  const name = names.find((one) => wanted >= 0 && minor(snapshotIndex(host, one).kubernetes) === wanted);
  if (name !== undefined) return name;
  throw new Failure(
    'refused',
    `there is no datastore snapshot of Kubernetes ${target?.kubernetes ?? `in generation ${to}`}`,
    names.length === 0
      ? 'snapshots are taken before an upgrade to another minor version, on a single server'
      : `those there are: ${names.map((one) => `${one} of ${snapshotIndex(host, one).kubernetes}`).join(', ')}`,
  );
}
