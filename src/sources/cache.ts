import { type Dirent, lstatSync, type Stats } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { removeFolder } from './built.ts';
import { inUseSince } from './use.ts';

export interface CacheShare {
  readonly count: number;
  /** Bytes of the files; a file with several names counts once. */
  readonly bytes: number;
}

export interface CacheStatus {
  readonly cache: string;
  readonly blobs: CacheShare;
  readonly built: CacheShare;
  /** Unfinished downloads. */
  readonly partial: CacheShare;
  /** What other parts of the program keep there (toolchains), by folder name. */
  readonly other: Readonly<Record<string, CacheShare>>;
  readonly bytes: number;
}

export interface PruneRequest {
  readonly cache: string;
  /** Bytes that blobs, built folders, unfinished downloads and what Go keeps may take together. */
  readonly limitBytes: number;
  /** What was used since then stays (milliseconds since 1970): a build at its end keeps what it was made from. */
  readonly keepSince?: number;
  /** Everything goes, whatever the limit. */
  readonly all?: boolean;
  /** Milliseconds since 1970; for tests. */
  readonly now?: number;
}

export interface PruneResult {
  readonly removed: number;
  readonly removedBytes: number;
  readonly keptBytes: number;
  /** Bytes that had to stay because a running process may be using them. */
  readonly inUseBytes: number;
}

interface Entry {
  readonly path: string;
  readonly bytes: number;
  /** Last use, milliseconds since 1970. */
  readonly used: number;
  /** Left by a process that ended before it was finished. */
  readonly unfinished: boolean;
}

const UNFINISHED_MS = 24 * 3600_000;
const DEFAULT_LIMIT = 20 * 1024 ** 3;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** Size limit of the cache in bytes: SEXTANT_CACHE_LIMIT ("20GiB", "500M", bytes), default 20 GiB. Throws `usage`. */
export function cacheLimit(environment: NodeJS.ProcessEnv = process.env): number {
  const text = environment.SEXTANT_CACHE_LIMIT;
  if (text === undefined || text === '') return DEFAULT_LIMIT;
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text);
  const unit = UNITS[match?.[2]?.toUpperCase() ?? ''];
  if (match === null || unit === undefined) {
    throw new SextantError('usage', `SEXTANT_CACHE_LIMIT: "${text}" is not a size`, {
      hint: 'write a number of bytes, or one with K, M, G or T, such as 20G',
    });
  }
  return Math.floor(Number(match[1]) * unit);
}

/** What the cache holds. A folder that is not there is an empty cache. */
export async function cacheStatus({ cache }: { readonly cache: string }): Promise<CacheStatus> {
  const seen = new Set<string>();
  const blobs = share(await blobEntries(cache, seen));
  const built = share(await folderEntries(join(cache, 'built'), seen));
  const partial = share(await folderEntries(join(cache, 'partial'), seen));
  const other: Record<string, CacheShare> = {};
  for (const { name } of await list(cache)) {
    if (['blobs', 'built', 'partial', 'running'].includes(name)) continue;
    const { bytes } = await measure(join(cache, name), seen);
    other[name] = { count: 1, bytes };
  }
  const bytes = [blobs, built, partial, ...Object.values(other)].reduce((sum, each) => sum + each.bytes, 0);
  return { cache, blobs, built, partial, other, bytes };
}

/**
 * Removes what was least recently used until the rest fits the limit, and what ended processes left unfinished a day ago. What any
 * running sextant may use (used since it began) stays, also with `all`. Logs and what `make tools` installs are not looked at.
 */
export async function pruneCache(request: PruneRequest): Promise<PruneResult> {
  const { cache, limitBytes, all = false, now = Date.now() } = request;
  const since = Math.min(await inUseSince(cache, now), request.keepSince ?? Number.POSITIVE_INFINITY);
  const seen = new Set<string>();
  const entries = [
    ...(await blobEntries(cache, seen)),
    ...(await folderEntries(join(cache, 'built'), seen)),
    ...(await folderEntries(join(cache, 'partial'), seen)),
    ...(await folderEntries(join(cache, 'work'), seen)),
    ...(await goEntries(join(cache, 'go'), seen)),
  ].sort((a, b) => a.used - b.used || (a.path < b.path ? -1 : 1));
  let kept = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  let removed = 0;
  let removedBytes = 0;
  let inUseBytes = 0;
  for (const entry of entries) {
    const inUse = entry.used >= since;
    const stale = entry.unfinished && now - entry.used > UNFINISHED_MS;
    if (inUse) inUseBytes += entry.bytes;
    if (inUse || !(all || stale || kept > limitBytes)) continue;
    await removeFolder(entry.path);
    kept -= entry.bytes;
    removed += 1;
    removedBytes += entry.bytes;
  }
  if (all) await removeEndedProcesses(cache, since);
  return { removed, removedBytes, keptBytes: kept, inUseBytes };
}

async function removeEndedProcesses(cache: string, since: number): Promise<void> {
  if (since === Number.POSITIVE_INFINITY) await rm(join(cache, 'running'), { recursive: true, force: true });
}

function share(entries: readonly Entry[]): CacheShare {
  return { count: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function blobEntries(cache: string, seen: Set<string>): Promise<Entry[]> {
  const root = join(cache, 'blobs', 'sha256');
  const found: Entry[] = [];
  for (const { name } of await list(root)) found.push(...(await folderEntries(join(root, name), seen)));
  return found;
}

/** Go does not write an entry's time of use more often than this (cmd/go/internal/cache, mtimeInterval). */
const GO_USE_MS = 3600_000;

/** What Go can make again: the module cache as a whole (runGo marks its use), its build cache file by file, as Go itself trims it. */
async function goEntries(go: string, seen: Set<string>): Promise<Entry[]> {
  const found = await folderEntries(join(go, 'work'), seen);
  const mod = join(go, 'mod');
  const { bytes, used } = await measure(mod, seen);
  if (bytes > 0) found.push({ path: mod, bytes, used, unfinished: false });
  for (const { name } of await list(join(go, 'build'))) {
    if (!/^[0-9a-f]{2}$/.test(name)) continue;
    for (const entry of await folderEntries(join(go, 'build', name), seen)) {
      found.push({ ...entry, used: entry.used + GO_USE_MS });
    }
  }
  return found;
}

async function folderEntries(folder: string, seen: Set<string>): Promise<Entry[]> {
  const found: Entry[] = [];
  for (const { name } of await list(folder)) {
    const path = join(folder, name);
    const { bytes, used } = await measure(path, seen);
    found.push({ path, bytes, used, unfinished: name.endsWith('.tmp') || folder.endsWith('/partial') });
  }
  return found;
}

/** Bytes below a path, each inode once for all that share `seen`, and the path's own time of last use. */
async function measure(path: string, seen: Set<string>): Promise<{ bytes: number; used: number }> {
  let found: Stats;
  try {
    found = lstatSync(path); // Five times as fast as asking another thread, and there are many.
  } catch {
    return { bytes: 0, used: 0 }; // Gone meanwhile, or not ours to see.
  }
  const used = found.mtimeMs;
  if (found.isDirectory()) {
    let bytes = 0;
    for (const { name } of await list(path).catch(() => []))
      bytes += (await measure(join(path, name), seen)).bytes;
    return { bytes, used };
  }
  const inode = `${found.dev}:${found.ino}`;
  if (seen.has(inode)) return { bytes: 0, used };
  if (found.nlink > 1) seen.add(inode);
  return { bytes: Math.min(found.size, found.blocks * 512), used }; // Holes take no room.
}
