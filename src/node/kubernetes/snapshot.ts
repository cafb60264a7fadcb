import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { SNAPSHOTS_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import { makeFolders, removeTree, replaceFile, sizeOfTree, syncTree } from './trees.ts';

/**
 * Folders that are the embedded datastore, with all that has to fit together in them: SQLite's database and its logs (kine), or etcd's.
 * Keys and certificates beside them do not change with an upgrade and stay.
 */
const DATASTORE_FOLDERS = ['/var/lib/rancher/k3s/server/db', '/var/lib/k0s/db', '/var/lib/k0s/etcd'];

/** What a snapshot says of itself, in `content.json` of its folder; format 1. The folders are copies named 0, 1, ... */
interface SnapshotContent {
  readonly format: 1;
  readonly kubernetes: string;
  /** Wall clock, for display only. */
  readonly taken: string;
  readonly folders: readonly string[];
}

/** Copying at 5 MB a second, the slowest flash that is worth supporting, takes this long for 9 GB. */
const COPY_SECONDS = 1800;

/** Folders of the embedded datastore that are on this node. */
export function datastoreFolders(host: Host): readonly string[] {
  return DATASTORE_FOLDERS.filter((folder) => host.stat(folder)?.kind === 'folder');
}

/** Bytes that a snapshot taken now would take at most. */
export function snapshotSize(host: Host): number {
  return datastoreFolders(host).reduce((sum, folder) => sum + sizeOfTree(host, folder), 0);
}

/**
 * Copies the datastore to /opt/sextant/snapshots/NAME, durably, or leaves nothing of it. Kubernetes must be stopped: a copy of a running
 * database is not one, and what is written after an online snapshot would be lost without being part of the trial.
 */
export function takeSnapshot(host: Host, name: string, kubernetes: string): void {
  const folders = datastoreFolders(host);
  const final = `${SNAPSHOTS_FOLDER}/${name}`;
  const temporary = `${SNAPSHOTS_FOLDER}/.${name}.new`;
  makeFolders(host, SNAPSHOTS_FOLDER, 0o700);
  removeTree(host, temporary);
  try {
    host.mkdir(temporary, 0o700);
    for (const [index, folder] of folders.entries()) copyTree(host, folder, `${temporary}/${index}`);
    const taken = new Date(host.wallClock()).toISOString();
    const content: SnapshotContent = { format: 1, kubernetes, taken, folders };
    replaceFile(host, `${temporary}/content.json`, `${JSON.stringify(content)}\n`, 0o600);
    syncTree(host, temporary);
    removeTree(host, final);
    host.rename(temporary, final);
    host.sync(SNAPSHOTS_FOLDER);
  } catch (error) {
    removeTree(host, temporary);
    throw error;
  }
}

/**
 * Puts the datastore back to a snapshot; Kubernetes must be stopped. Each folder is copied beside the present one, synced, then takes its
 * place: cut short at any point it can be repeated from the beginning. Returns the folders put back.
 */
export function restoreSnapshot(host: Host, name: string): readonly string[] {
  const { folders } = snapshotContent(host, name);
  for (const [index, folder] of folders.entries()) {
    const parent = folder.slice(0, folder.lastIndexOf('/'));
    const [fresh, old] = [`${folder}.sextant-new`, `${folder}.sextant-old`];
    makeFolders(host, parent);
    removeTree(host, fresh);
    copyTree(host, `${SNAPSHOTS_FOLDER}/${name}/${index}`, fresh);
    syncTree(host, fresh);
    if (host.lstat(folder)) {
      removeTree(host, old);
      host.rename(folder, old);
    }
    host.rename(fresh, folder);
    host.sync(parent);
    removeTree(host, old);
  }
  return folders;
}

/** Throws `input` where there is no whole snapshot of that name. */
export function snapshotContent(host: Host, name: string): SnapshotContent {
  const path = `${SNAPSHOTS_FOLDER}/${name}/content.json`;
  const text = host.readText(path);
  const hint = `see what there is: ls ${SNAPSHOTS_FOLDER}`;
  if (text === undefined) throw new Failure('input', `${path}: there is no such snapshot`, hint);
  try {
    const content = JSON.parse(text) as SnapshotContent;
    const known = content.folders.every((folder) => DATASTORE_FOLDERS.includes(folder));
    if (content.format === 1 && known && content.folders.length > 0) return content;
  } catch {
    // Said below.
  }
  throw new Failure('input', `${path}: not the description of a datastore snapshot`, hint);
}

/** Names of the snapshots that are whole. */
export function snapshotNames(host: Host): readonly string[] {
  return (host.list(SNAPSHOTS_FOLDER) ?? []).filter((name) => !name.startsWith('.'));
}

function copyTree(host: Host, from: string, to: string): void {
  runProgram(host, 'cp', ['--archive', '--sparse=always', '--', from, to], { timeoutSeconds: COPY_SECONDS });
}
