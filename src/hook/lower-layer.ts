import {
  chmod,
  constants,
  copyFile,
  link,
  lstat,
  mkdir,
  readlink,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SextantError } from '../support/errors.ts';

/** What a layer puts at a path: a file of the host, or content. `mode` is permission bits, default the host file's or 0644. */
export interface LayerFile {
  readonly path: string;
  readonly from?: string;
  readonly content?: string;
  readonly mode?: number;
}

/**
 * Follows symbolic links of `path` inside `root` as if root were "/", so that an absolute link never leaves it. The last part is followed
 * only when `last` says so. Parts that do not exist stay as they are. Throws `input` for a loop.
 */
export async function resolveIn(root: string, path: string, last: 'follow' | 'keep'): Promise<string> {
  let parts = path.split('/').filter((part) => part !== '' && part !== '.');
  let resolved: string[] = [];
  for (let links = 0; parts.length > 0; ) {
    const [part = '', ...rest] = parts;
    parts = rest;
    if (part === '..') {
      resolved.pop();
      continue;
    }
    const target =
      rest.length === 0 && last === 'keep'
        ? undefined
        : await readlink(join(root, ...resolved, part)).catch(() => undefined);
    if (target === undefined) {
      resolved.push(part);
      continue;
    }
    links += 1;
    if (links > 40) {
      throw new SextantError('input', `${path}: too many symbolic links in the root of the sandbox`);
    }
    if (target.startsWith('/')) resolved = [];
    parts = [...target.split('/').filter((piece) => piece !== '' && piece !== '.'), ...parts];
  }
  return `/${resolved.join('/')}`;
}

/**
 * Lays `folders` and `files` (absolute paths) down in `layer`, a layer that will lie over `root`: paths go where root's links lead, and
 * folders that root has keep root's modes, because an overlay shows those of the upper one.
 */
export async function writeLowerLayer(
  layer: string,
  root: string,
  folders: readonly string[],
  files: readonly LayerFile[],
): Promise<void> {
  for (const folder of folders) await makeFolders(layer, root, await resolveIn(root, folder, 'keep'));
  for (const file of files) {
    const path = await resolveIn(root, file.path, 'keep');
    await makeFolders(layer, root, dirname(path));
    const target = join(layer, path);
    await rm(target, { force: true });
    if (file.from === undefined) await writeFile(target, file.content ?? '');
    else await linkOrCopy(file.from, target, file.mode);
    if (file.from === undefined) await chmod(target, file.mode ?? 0o644);
  }
}

/** Hard-links a file, or copies it where that is not possible or the mode has to differ; layers are never written to in place. */
export async function linkOrCopy(from: string, to: string, mode?: number): Promise<void> {
  const has = (await stat(from)).mode & 0o7777;
  if (mode === undefined || mode === has) {
    const linked = await link(await realpath(from), to).then(
      () => true,
      () => false,
    );
    if (linked) return;
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chmod(to, mode ?? has & 0o777);
}

async function makeFolders(layer: string, root: string, folder: string): Promise<void> {
  let path = '';
  for (const part of folder.split('/').filter(Boolean)) {
    path = `${path}/${part}`;
    const made = await mkdir(join(layer, path)).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false;
        throw error;
      },
    );
    if (!made) continue;
    const below = await lstat(join(root, path)).catch(() => undefined);
    await chmod(join(layer, path), below?.isDirectory() ? below.mode & 0o7777 : 0o755);
  }
}
