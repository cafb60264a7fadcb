import { makeFolders, replaceFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { FOLLOWED, folderOf } from '../model/paths.ts';

/** SHA-256 of the image whose wish was settled last, or undefined on a node that never met an activation file's. */
export function followed(host: Host): string | undefined {
  return host.readText(FOLLOWED)?.trim();
}

/** What the activation file names needs nothing more, until it names another one. Durable. */
export function rememberFollowed(host: Host, sha256: string): void {
  if (followed(host) === sha256) return;
  makeFolders(host, folderOf(FOLLOWED));
  replaceFile(host, FOLLOWED, `${sha256}\n`, 0o600);
}
