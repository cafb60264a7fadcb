import type { Host } from '../host/host.ts';

/** Removes a file, or a folder with all that is in it; links are removed, never followed. Nothing there is fine. */
export function removeTree(host: Host, path: string): void {
  const facts = host.lstat(path);
  if (facts?.kind !== 'folder') {
    host.unlink(path);
    return;
  }
  for (const name of host.list(path) ?? []) removeTree(host, `${path}/${name}`);
  host.rmdir(path);
}
