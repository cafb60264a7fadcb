import { constants } from 'node:fs';
import { copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LockedBlob } from '../../lock/types.ts';

/** The files of a version that sums are published of: the source, and its go.mod (https://go.dev/ref/mod#goproxy-protocol). */
type ModuleFileKind = 'zip' | 'mod';

export interface ModuleFile {
  readonly path: string;
  readonly version: string;
  readonly kind: ModuleFileKind;
}

const KINDS: readonly string[] = ['zip', 'mod'];

/** `go:MODULE@VERSION.KIND`: a module's file whichever proxy it comes from. */
export function moduleAddress({ path, version, kind }: ModuleFile): string {
  return `go:${path}@${version}.${kind}`;
}

/** The file that a `go:` address names, or undefined for another address or one that could lead out of a proxy's folder. */
export function parseModuleAddress(url: string): ModuleFile | undefined {
  const [, path, version, kind] = /^go:([^@\s]+)@([^@/\s]+)\.(zip|mod)$/.exec(url) ?? [];
  if (!path || !version || !kind || path.startsWith('/')) return undefined;
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return undefined;
  return { path, version, kind: kind as ModuleFileKind };
}

/** Upper case letters as "!" and lower case, so that names differ on every file system (https://go.dev/ref/mod#goproxy-protocol). */
const escaped = (text: string) => text.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
const unescaped = (text: string) =>
  text.replace(/!([a-z])/g, (_whole, letter: string) => letter.toUpperCase());

/** Path of a module's file in a proxy's folder, or in `<GOMODCACHE>/cache/download`. */
export function proxyPath({ path, version, kind }: ModuleFile): string {
  return `${escaped(path)}/@v/${escaped(version)}.${kind}`;
}

/** The modules' files in a proxy's folder, sorted by address. */
export async function listModuleFiles(folder: string): Promise<ModuleFile[]> {
  const found: ModuleFile[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const [, path, version, kind] = /^(.+)\/@v\/(v[^/]+)\.([a-z]+)$/.exec(name) ?? [];
    if (!path || !version || !kind || !KINDS.includes(kind)) continue;
    found.push({ path: unescaped(path), version: unescaped(version), kind: kind as ModuleFileKind });
  }
  return found.sort((a, b) => (moduleAddress(a) < moduleAddress(b) ? -1 : 1));
}

/**
 * Makes a proxy's folder of stored blobs, by hard links where the file system allows it. The .info file that the go command asks for
 * beside each zip is written here: of it only the version matters to a build, and proxies change the rest with time.
 */
export async function assembleProxy(
  folder: string,
  blobs: readonly { readonly blob: LockedBlob; readonly stored: string }[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { blob, stored } of blobs) {
    const file = parseModuleAddress(blob.url);
    if (!file) continue;
    const path = join(folder, proxyPath(file));
    await mkdir(dirname(path), { recursive: true });
    await link(stored, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return;
      await copyFile(stored, path, constants.COPYFILE_FICLONE);
    });
    if (file.kind === 'zip') {
      const info = path.replace(/zip$/, 'info');
      await writeFile(info, JSON.stringify({ Version: file.version }));
    }
  }
}
