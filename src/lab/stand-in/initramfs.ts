import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { tool } from '../machine/programs.ts';

/** A file of an archive; one without content is a folder. */
export interface ArchiveEntry {
  readonly path: string;
  readonly mode: number;
  readonly content?: Uint8Array;
}

const FOLDER = 0o040000;
const FILE = 0o100000;

/** A cpio archive as the kernel unpacks it (Linux, Documentation/driver-api/early-userspace/buffer-format.rst: "newc"). */
export function cpioArchive(entries: readonly ArchiveEntry[]): Buffer {
  const padded = (bytes: Uint8Array) => [bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)];
  const member = (path: string, mode: number, inode: number, content: Uint8Array = new Uint8Array()) => {
    const name = Buffer.from(`${path}\0`);
    // ino, mode, uid, gid, nlink, mtime, filesize, the device's and the node's major and minor, namesize, check.
    const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    return [...padded(Buffer.concat([Buffer.from(header), name])), ...padded(content)];
  };
  return Buffer.concat([
    ...entries.flatMap(({ path, mode, content }, index) =>
      member(path, (content === undefined ? FOLDER : FILE) | mode, index + 1, content),
    ),
    ...member('TRAILER!!!', 0, 0),
  ]);
}

/** The modules that a kernel module needs, from its `.modinfo` section (Linux, scripts/mod/modpost.c: add_depends). */
export function moduleDependencies(module: Buffer): string[] {
  const names = /\0depends=([^\0]*)\0/.exec(module.toString('latin1'))?.[1] ?? '';
  return names.split(',').filter((name) => name !== '');
}

/** The name of a module from its file's; with dashes or underscores it means the same. */
export const moduleName = (file: string) =>
  basename(file)
    .replace(/\.ko.*$/, '')
    .replaceAll('-', '_');

/** Kernel modules with all they depend on, in an order in which each can be loaded. `folder` is that of one kernel's modules. */
export async function loadableModules(
  folder: string,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Buffer>> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.ko(\.xz)?$/.test(file));
  const places = new Map(files.map((file) => [moduleName(file), join(folder, file)]));
  const loaded = new Map<string, Buffer>();
  const load = async (name: string): Promise<void> => {
    if (loaded.has(name)) return;
    const place = places.get(name);
    if (place === undefined) throw new SextantError('tool', `${folder}: has no kernel module ${name}`);
    const bytes = place.endsWith('.xz')
      ? (await tool('xz', ['-dc', place], signal)).stdout
      : await readFile(place);
    for (const needed of moduleDependencies(bytes)) await load(moduleName(needed));
    loaded.set(name, bytes);
  };
  for (const name of wanted) await load(name);
  return loaded;
}

/**
 * An initramfs that loads these modules and runs the script `init` with busybox, whose bytes are given. Every applet that `init` uses
 * is a call of /bin/busybox.
 */
export function initramfs(busybox: Uint8Array, modules: ReadonlyMap<string, Buffer>, init: string): Buffer {
  const folders = ['bin', 'dev', 'proc', 'sys', 'modules', 'root'];
  return cpioArchive([
    ...folders.map((path) => ({ path, mode: 0o755 })),
    { path: 'bin/busybox', mode: 0o755, content: busybox },
    ...[...modules].map(([name, content]) => ({ path: `modules/${name}.ko`, mode: 0o644, content })),
    { path: 'modules/order', mode: 0o644, content: Buffer.from([...modules.keys()].join('\n')) },
    { path: 'init', mode: 0o755, content: Buffer.from(init) },
  ]);
}
