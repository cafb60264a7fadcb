import { Failure } from './failure.ts';
import type { Host } from './host/host.ts';
import { folderOf } from './model/paths.ts';

/** Bytes of all files below a path, as they are listed (holes count); 0 where there is nothing. */
export function sizeOfTree(host: Host, path: string): number {
  const facts = host.lstat(path);
  if (facts?.kind !== 'folder') return facts?.kind === 'file' ? facts.size : 0;
  return (host.list(path) ?? []).reduce((sum, name) => sum + sizeOfTree(host, `${path}/${name}`), 0);
}

/** The folders of a path that are missing, made and synced from the top. */
export function makeFolders(host: Host, path: string, mode = 0o755): void {
  const parts = path.split('/').filter((part) => part !== '');
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const folder = `/${parts.slice(0, depth).join('/')}`;
    if (host.stat(folder)?.kind === 'folder') continue;
    host.mkdir(folder, depth === parts.length ? mode : 0o755);
    host.sync(folderOf(folder));
  }
}

/** Writes a file whole: a temporary name beside it, synced, renamed, the folder synced. */
export function replaceFile(host: Host, path: string, content: string, mode: number): void {
  const folder = folderOf(path);
  const temporary = `${folder}/.${path.slice(folder.length + 1)}.new`;
  host.unlink(temporary);
  host.writeNew(temporary, content, mode);
  host.sync(temporary);
  host.rename(temporary, path);
  host.sync(folder);
}

/** The same for a file of this boot, which a crash takes in any case: never half written for others, and not synced. */
export function replaceRuntimeFile(host: Host, path: string, content: string): void {
  const temporary = `${path}.new`;
  host.unlink(temporary);
  host.writeNew(temporary, content, 0o644);
  host.rename(temporary, path);
}

/** Throws `filesystem` unless `bytes` and a margin are free where `path` will be. */
export function requireSpace(host: Host, path: string, bytes: number, what: string): void {
  const { free } = host.space(existingFolder(host, path));
  if (free >= bytes + MARGIN_BYTES) return;
  throw new Failure(
    'filesystem',
    `${path}: ${what} needs ${megabytes(bytes + MARGIN_BYTES)} free, ${megabytes(free)} are`,
    'free some space: `sextant-node gc` removes what nothing needs',
  );
}

/** Left for everything else on the partition: the record, logs, the datastore itself. */
const MARGIN_BYTES = 64 * 1024 * 1024;

/** `400 MB`, for people. */
export function megabytes(bytes: number): string {
  if (bytes < 100_000) return `${Math.ceil(bytes / 1000)} kB`;
  return bytes < 10_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${Math.round(bytes / 1_000_000)} MB`;
}

function existingFolder(host: Host, path: string): string {
  let folder = path;
  while (folder !== '/' && host.stat(folder)?.kind !== 'folder') folder = folderOf(folder);
  return folder;
}
