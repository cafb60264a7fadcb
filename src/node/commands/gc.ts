import type { Command } from '../cli/command.ts';
import { removeTree } from '../effects/remove-tree.ts';
import { megabytes, sizeOfTree } from '../files.ts';
import type { Host } from '../host/host.ts';
import { snapshotNames } from '../kubernetes/snapshot.ts';
import { collect, type Stored, unneededSnapshots } from '../model/housekeeping.ts';
import { SNAPSHOTS_FOLDER, STORE_FOLDER } from '../model/paths.ts';
import { storedDigests } from '../observe/store.ts';
import { exclusively } from '../records-file.ts';
import { carryOutDecision, openSession, requireRoot } from '../session.ts';

/** Removes what no generation needs; what is wanted, good, pinned, running or linked stays. */
export const gc: Command = {
  name: 'gc',
  summary: 'remove extension files and snapshots that nothing needs',
  words: [],
  options: [{ name: 'dry-run', summary: 'say what would be removed, and remove nothing' }],
  run({ host, options }) {
    requireRoot(host, 'gc');
    exclusively(host, 30, () => {
      const session = openSession(host);
      const decision = collect(session.records, session.observation, stored(host));
      const forgotten = session.records.generations.filter(
        ({ id }) => !decision.records.generations.some((pair) => pair.id === id),
      );
      const folders = decision.effects.flatMap((effect) =>
        effect.do === 'remove-folder' ? [effect.path] : [],
      );
      const snapshots = unneeded(host, decision.records);
      const would = options.has('dry-run');
      for (const { id } of forgotten) host.out(`${would ? 'would forget' : 'forgotten'}: generation ${id}\n`);
      for (const path of [...folders, ...snapshots])
        host.out(`${would ? 'would remove' : 'removed'}: ${path} (${megabytes(sizeOfTree(host, path))})\n`);
      if (forgotten.length + folders.length + snapshots.length === 0) host.out('Nothing can be removed.\n');
      if (would) return;
      carryOutDecision(session, decision);
      for (const path of snapshots) removeTree(host, path);
      if (snapshots.length > 0) host.sync(SNAPSHOTS_FOLDER);
    });
    return 0;
  },
};

function stored(host: Host): Stored {
  return {
    folders: Object.fromEntries(
      storedDigests(host).map((digest) => [digest, host.list(`${STORE_FOLDER}/${digest}`) ?? []]),
    ),
  };
}

/** Those that nothing can go back to, and what an interrupted one left; whoever takes one holds the lock that we hold. */
function unneeded(host: Host, records: Parameters<typeof unneededSnapshots>[0]): readonly string[] {
  return unneededSnapshots(records, snapshotNames(host));
}
