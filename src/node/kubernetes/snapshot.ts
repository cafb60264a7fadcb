import { removeTree } from '../effects/remove-tree.ts';
import { copyTree, type SnapshotIndex, syncTree } from '../effects/snapshot.ts';
import { Failure } from '../failure.ts';
import { makeFolders, sizeOfTree } from '../files.ts';
import type { Host } from '../host/host.ts';
import { SNAPSHOTS_FOLDER } from '../model/paths.ts';
import { datastoreFolder } from '../observe/datastore.ts';

/** Copying at 5 MB a second, the slowest flash that is worth supporting, takes this long for 9 GB. */
const COPY_SECONDS = 1800;

/** Bytes that a snapshot taken now would take at most; 0 where there is no embedded datastore. */
export function snapshotSize(host: Host): number {
  const folder = datastoreFolder(host);
  return folder === undefined ? 0 : sizeOfTree(host, folder);
}

/**
 * Copies the datastore to /opt/sextant/snapshots/NAME (effects/snapshot.ts says what is in it), durably, or leaves nothing of it. Kubernetes
 * must be stopped: a copy of a running database is not one, and what is written after an online snapshot would be lost without being part of
 * the trial.
 */
export function takeSnapshot(host: Host, name: string, kubernetes: string): void {
  const folder = datastoreFolder(host);
  if (folder === undefined)
    throw new Failure(
      'input',
      'there is no embedded datastore to take a snapshot of',
      'see: sextant-node status',
    );
  const [final, temporary] = [`${SNAPSHOTS_FOLDER}/${name}`, `${SNAPSHOTS_FOLDER}/.${name}.new`];
  makeFolders(host, SNAPSHOTS_FOLDER, 0o700);
  removeTree(host, temporary);
  try {
    host.mkdir(temporary, 0o700);
    copyTree(host, folder, `${temporary}/data`, COPY_SECONDS);
    const created = new Date(host.wallClock()).toISOString();
    const index: SnapshotIndex = { format: 1, folder, kubernetes, created };
    host.writeNew(`${temporary}/snapshot.json`, `${JSON.stringify(index)}\n`, 0o600);
    syncTree(host, temporary);
    removeTree(host, final);
    host.rename(temporary, final);
    host.sync(SNAPSHOTS_FOLDER);
  } catch (error) {
    removeTree(host, temporary);
    throw error;
  }
}

/** Names of the snapshots that are there, unfinished ones too: those begin with a dot. */
export function snapshotNames(host: Host): readonly string[] {
  return host.list(SNAPSHOTS_FOLDER) ?? [];
}
