import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Something in a folder, described without following any link. */
export interface WalkedNode {
  /** Path below the walked folder, with a leading slash. */
  readonly path: string;
  /** Where it really is. */
  readonly source: string;
  readonly kind: 'file' | 'folder' | 'link' | 'fifo' | 'socket' | 'device' | 'whiteout';
  /** Permission bits with set-uid, set-gid and sticky (0o7777). */
  readonly mode: number;
  /** Bytes; 0 for all but files. */
  readonly size: number;
  /** Target of a link. */
  readonly target?: string;
  /** Device and inode number: the same for hard links of one file. */
  readonly inode: string;
  /** True for a folder without entries. */
  readonly empty?: boolean;
}

export interface Walk {
  /** Parents before children, siblings in byte order. */
  readonly nodes: readonly WalkedNode[];
  /** Names that no path can express (not UTF-8), one line each. */
  readonly problems: readonly string[];
}

/**
 * Lists everything below a folder without following links, so that a hostile archive's link cannot lead out of it. A character
 * device with number 0/0 is an overlay whiteout (kernel documentation, overlayfs). Throws Node's error when the folder is unreadable.
 */
export async function walk(folder: string, signal?: AbortSignal): Promise<Walk> {
  const nodes: WalkedNode[] = [];
  const problems: string[] = [];
  const visit = async (source: string, path: string): Promise<number> => {
    signal?.throwIfAborted();
    const names: string[] = [];
    const raw = await readdir(source, { encoding: 'buffer' });
    for (const bytes of raw) {
      const name = bytes.toString('utf8');
      if (Buffer.from(name, 'utf8').equals(bytes)) names.push(name);
      else problems.push(`${printable(`${path}/${bytes.toString('latin1')}`)}: the name is not UTF-8`);
    }
    for (const name of names.sort(byBytes)) {
      const child = join(source, name);
      const childPath = `${path}/${name}`;
      const node = await describe(child, childPath);
      const at = nodes.push(node) - 1;
      if (node.kind === 'folder') {
        const count = await visit(child, childPath);
        if (count === 0) nodes[at] = { ...node, empty: true };
      }
    }
    return raw.length;
  };
  await visit(folder, '');
  return { nodes, problems };
}

async function describe(source: string, path: string): Promise<WalkedNode> {
  const stat = await lstat(source);
  const kind = stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'folder'
      : stat.isSymbolicLink()
        ? 'link'
        : stat.isFIFO()
          ? 'fifo'
          : stat.isSocket()
            ? 'socket'
            : stat.isCharacterDevice() && stat.rdev === 0
              ? 'whiteout'
              : 'device';
  return {
    path,
    source,
    kind,
    mode: stat.mode & 0o7777,
    size: kind === 'file' ? stat.size : 0,
    inode: `${stat.dev}:${stat.ino}`,
    ...(kind === 'link' ? { target: await readlink(source) } : {}),
  };
}

/** Order of UTF-8 bytes, the same whatever the locale. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A name that is safe to print on one line. */
export function printable(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(/[\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replaceAll('\\"', '"');
}

/** True where a name holds a control character (C0, DEL, C1). */
export function hasControlCharacter(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}
