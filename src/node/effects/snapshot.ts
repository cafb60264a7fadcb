import { Failure, toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { folderOf, SNAPSHOTS_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import { removeTree } from './remove-tree.ts';

/**
 * A datastore snapshot: /opt/sextant/snapshots/NAME/ with the folder `data` (a copy with owners, modes and times, taken while Kubernetes was
 * stopped) and `snapshot.json`, written last: without it the snapshot is not whole.
 */
export interface SnapshotIndex {
  readonly format: 1;
  /** Folder of the datastore that `data` is a copy of, e.g. /var/lib/rancher/k3s/server/db. */
  readonly folder: string;
  /** Kubernetes version that wrote it. */
  readonly kubernetes: string;
  /** Wall clock, ISO 8601, for people. */
  readonly created: string;
}

/** Copying some gigabytes on slow flash. */
const RESTORE_SECONDS = 3600;

/** Throws `input` for one that is missing or not whole. */
export function snapshotIndex(host: Host, name: string): SnapshotIndex {
  const folder = `${SNAPSHOTS_FOLDER}/${name}`;
  const text = host.readText(`${folder}/snapshot.json`);
  const index = text === undefined ? undefined : parse(text);
  if (!index || host.stat(`${folder}/data`)?.kind !== 'folder')
    throw new Failure(
      'input',
      `${folder}: ${text === undefined ? 'no such snapshot' : 'this snapshot is not whole'}`,
      'see which there are: ls /opt/sextant/snapshots',
    );
  return index;
}

function parse(text: string): SnapshotIndex | undefined {
  try {
    const value = JSON.parse(text) as SnapshotIndex;
    const known = value.format === 1 && /^\/var\/lib\/[\w./-]+$/.test(value.folder);
    return known && !value.folder.includes('..') ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Puts the datastore back, Kubernetes stopped: the copy is made and synced beside the datastore, then changes places with it. Cut short
 * anywhere, it does the same again; what was there before is removed only when the copy is in its place.
 */
export function restoreSnapshot(host: Host, name: string): void {
  const { folder } = snapshotIndex(host, name);
  const parent = folderOf(folder);
  const [fresh, old] = [`${folder}.sextant-new`, `${folder}.sextant-old`];
  try {
    copyTree(host, `${SNAPSHOTS_FOLDER}/${name}/data`, fresh, RESTORE_SECONDS);
  } catch (error) {
    if (!/No space left|quota/.test(toFailure(error).message)) throw error;
    // What is replaced is lost in any case, so it makes room; the record says that the snapshot is still to be put back.
    removeTree(host, folder);
    removeTree(host, old);
    copyTree(host, `${SNAPSHOTS_FOLDER}/${name}/data`, fresh, RESTORE_SECONDS);
  }
  syncTree(host, fresh);
  if (host.lstat(folder)) {
    removeTree(host, old);
    host.rename(folder, old);
  }
  host.rename(fresh, folder);
  host.sync(parent);
  removeTree(host, old);
}

/** A copy with owners, modes, times and holes, at a place where there is nothing afterwards but that copy. Not synced. */
export function copyTree(host: Host, from: string, to: string, timeoutSeconds: number): void {
  removeTree(host, to);
  runProgram(host, 'cp', ['--archive', '--sparse=auto', '--', from, to], { timeoutSeconds });
}

/** Every file and folder of a tree to the disk. */
export function syncTree(host: Host, path: string): void {
  const kind = host.lstat(path)?.kind;
  if (kind === 'folder') for (const name of host.list(path) ?? []) syncTree(host, `${path}/${name}`);
  if (kind === 'folder' || kind === 'file') host.sync(path);
}
