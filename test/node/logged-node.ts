import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LoggedDisk, loggedDisk } from '../logged-disk.ts';
import type { RootedHost } from './rooted-host.ts';

/** Folders of a node that are on COS_PERSISTENT. */
const PERSISTENT = ['opt', 'var'];

/** Where the disk of a node is mounted whose persistent folders are on one. */
export const diskOf = (node: RootedHost): string => join(node.root, 'disk');

/** Moves what a node has on COS_PERSISTENT to an ext4 of its own, whose every write and flush is noted. */
export async function onLoggedDisk(node: RootedHost): Promise<LoggedDisk> {
  const work = mkdtempSync(join(tmpdir(), 'sextant-disk-'));
  onTestFinished(() => rmSync(work, { recursive: true, force: true }));
  const [content, log] = [join(work, 'content'), join(work, 'log')];
  for (const folder of [log, diskOf(node)]) mkdirSync(folder);
  for (const folder of PERSISTENT) {
    cpSync(join(node.root, folder), join(content, folder), { recursive: true, verbatimSymlinks: true });
    rmSync(join(node.root, folder), { recursive: true });
    symlinkSync(`/disk/${folder}`, join(node.root, folder));
  }
  // On a node these are mount points; syncing one does not follow a link.
  const { sync } = node;
  node.sync = (path) => sync(PERSISTENT.includes(path.slice(1)) ? `/disk${path}` : path);
  return loggedDisk(content, diskOf(node), log);
}
