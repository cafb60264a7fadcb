import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { canonicalJson, fileDigest, sha256 } from '../../support/files.ts';

/** One entry below a folder. Modes are only "may be executed or not", as in git: a checkout's umask must not change the result. */
export type ListedEntry =
  | { readonly path: string; readonly kind: 'folder' }
  | { readonly path: string; readonly kind: 'link'; readonly target: string }
  | {
      readonly path: string;
      readonly kind: 'file';
      readonly executable: boolean;
      readonly size: number;
      readonly sha256: string;
    };

/** Everything below a folder, sorted by path. Throws `input` for devices, pipes and sockets. */
export async function listFolder(folder: string, signal: AbortSignal, below = ''): Promise<ListedEntry[]> {
  const found: ListedEntry[] = [];
  const names = (await readdir(join(folder, below))).sort();
  for (const name of names) {
    signal.throwIfAborted();
    const path = below === '' ? name : `${below}/${name}`;
    const at = join(folder, path);
    const status = await lstat(at);
    if (status.isDirectory()) {
      found.push({ path, kind: 'folder' }, ...(await listFolder(folder, signal, path)));
    } else if (status.isSymbolicLink()) {
      found.push({ path, kind: 'link', target: await readlink(at) });
    } else if (status.isFile()) {
      const executable = (status.mode & 0o111) !== 0;
      found.push({ path, kind: 'file', executable, ...(await fileDigest(at, signal)) });
    } else {
      throw new SextantError('input', `${at}: neither a file, a folder nor a link`, {
        hint: 'remove it from the folder that the recipe names',
      });
    }
  }
  return found;
}

/** SHA-256 of a listing's canonical JSON: the identity of a folder's content. */
export function listingDigest(entries: readonly ListedEntry[]): string {
  return sha256(canonicalJson(entries));
}
