import type { Host } from '../host/host.ts';
import type { Links } from '../model/observation.ts';
import { ENABLED_FOLDER, folderOf, isOurs, STORE_FOLDER, slotFolder, storeFile } from '../model/paths.ts';
import type { ExtensionFile } from '../model/types.ts';

/** Beside a file whose bytes were found to be wrong; counts as long as it is that very file. */
const DAMAGE_MARK = '.damaged';

/** Digests of the files that are in the store in full size and not marked as damaged. No byte of them is read. */
export function wholeFiles(host: Host, files: readonly ExtensionFile[]): string[] {
  const there = (file: ExtensionFile) => {
    const facts = host.stat(storeFile(file));
    if (facts?.kind !== 'file' || facts.size !== file.size) return false;
    return host.readText(damageMark(file)) !== fileMark(facts);
  };
  return [...new Set(files.filter(there).map(({ sha256 }) => sha256))];
}

/** Remembers that a file in the store is damaged, until another file takes its place. */
export function markDamaged(host: Host, file: ExtensionFile): void {
  const facts = host.stat(storeFile(file));
  if (!facts) return;
  const mark = damageMark(file);
  host.unlink(mark);
  host.writeNew(mark, fileMark(facts), 0o644);
  host.sync(mark);
  host.sync(folderOf(mark));
}

function damageMark({ sha256 }: ExtensionFile): string {
  return `${STORE_FOLDER}/${sha256}/${DAMAGE_MARK}`;
}

function fileMark({ inode, size, modified }: { inode: number; size: number; modified: number }): string {
  return `${inode} ${size} ${modified}\n`;
}

/** Digests that have a folder in the store. */
export function storedDigests(host: Host): string[] {
  return (host.list(STORE_FOLDER) ?? []).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

/** Links in a folder; what is no link is left out. */
export function linksIn(host: Host, folder: string): Links {
  const names = host.list(folder) ?? [];
  return Object.fromEntries(
    names.flatMap((name) => {
      const path = `${folder}/${name}`;
      return host.lstat(path)?.kind === 'link' ? [[name, host.readlink(path) ?? '']] : [];
    }),
  );
}

/** Most links that are followed one after another. */
const MOST_HOPS = 8;

/** What a path leads to in the end, links followed: the path of what is no link, there or not. Links beyond the eighth are not followed. */
export function finalTarget(host: Host, path: string): string {
  let at = path;
  for (let hops = 0; hops < MOST_HOPS && host.lstat(at)?.kind === 'link'; hops += 1)
    at = targetFrom(at, host.readlink(at) ?? '');
  return at;
}

/** What a link's target is from where the link lies. */
function targetFrom(link: string, target: string): string {
  if (target.startsWith('/')) return target;
  const parts = link.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/**
 * Links in /run/extensions. One that immucore made leads to a link in a slot's folder; it is shown by where that leads when it is ours,
 * in the form of that link, so that it is told from a direct one.
 */
export function enabledExtensions(host: Host): Links {
  const through = (target: string) => {
    const folder = ['active', 'passive'].find((slot) =>
      target.startsWith(`${slotFolder(slot as 'active' | 'passive')}/`),
    );
    if (folder === undefined || host.lstat(target)?.kind !== 'link') return target;
    const next = host.readlink(target) ?? '';
    return isOurs(next) ? next : target;
  };
  return Object.fromEntries(
    Object.entries(linksIn(host, ENABLED_FOLDER)).map(([name, target]) => [name, through(target)]),
  );
}

/** Where systemd-sysext(8) looks besides /run/extensions. */
export const OTHER_FOLDERS = ['/etc', '/var/lib', '/usr/lib', '/usr/local/lib'].map(
  (folder) => `${folder}/extensions`,
);

/** An enabled extension that is not ours. */
export interface ForeignExtension {
  readonly name: string;
  readonly path: string;
}

export function foreignExtensions(host: Host, enabled: Links): ForeignExtension[] {
  const found = new Map<string, string>();
  for (const folder of [...OTHER_FOLDERS.toReversed(), ENABLED_FOLDER]) {
    for (const file of host.list(folder) ?? []) {
      const path = `${folder}/${file}`;
      const isImage = file.endsWith('.raw');
      if (!isImage && host.stat(path)?.kind !== 'folder') continue;
      if (folder === ENABLED_FOLDER && isOurs(enabled[file] ?? '')) continue;
      found.set(file.replace(/(\.sysext)?\.raw$/, ''), path);
    }
  }
  return [...found].map(([name, path]) => ({ name, path })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
