import { lstat, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { lockFileOf } from '../../lock/lock.ts';
import type { LoadedRecipe } from '../../recipe/load.ts';
import type { Recipe } from '../../recipe/schema.ts';
import { listFolder } from '../../sources/file/listing.ts';
import type { Mirror } from '../../sources/types.ts';
import { SextantError } from '../../support/errors.ts';
import { fileDigest, sha256 } from '../../support/files.ts';
import { fill } from '../../support/fill.ts';
import { commonFolder } from './layout.ts';

/** A file to be put into the mirror: bytes, or a file to copy. `path` is relative to the folder of the recipe's copy. */
export interface RecipeFile {
  readonly path: string;
  readonly from: string | { readonly text: string };
  readonly sha256: string;
  readonly size: number;
  readonly executable: boolean;
}

/** Everything of a recipe that is on this machine: itself with `mirrors`, its locks, the files and folders that it names. */
export interface RecipeFiles {
  readonly files: readonly RecipeFile[];
  /** The recipe among them. */
  readonly recipe: string;
}

/**
 * Collects a recipe's own files so that each keeps its place to the others. The signing key is not among them: it stays where it is. Throws
 * `input` for a path that is absolute: on another machine it would name something else.
 */
export async function recipeFiles(
  loaded: LoadedRecipe,
  locks: readonly (string | undefined)[],
  mirrors: readonly Mirror[],
  signal: AbortSignal,
): Promise<RecipeFiles> {
  const local = localPaths(loaded.recipe).map((path) => {
    if (!isAbsolute(path)) return resolve(loaded.folder, path);
    throw new SextantError('input', `${loaded.file}: names ${path}, which another machine does not have`, {
      hint: 'write it relative to the recipe',
    });
  });
  const common = commonFolder([loaded.folder, ...local.map((path) => dirname(path))]);
  const files: RecipeFile[] = [];
  const text = withMirrors(await readFile(loaded.file, 'utf8'), mirrors);
  const recipe = relative(common, loaded.file);
  files.push({
    path: recipe,
    from: { text },
    sha256: sha256(text),
    size: Buffer.byteLength(text),
    executable: false,
  });
  for (const lock of locks) files.push(await one(lockFileOf(loaded.file, lock), common));
  for (const path of local) {
    if ((await lstat(path)).isDirectory()) files.push(...(await folder(path, common, signal)));
    else files.push(await one(path, common));
  }
  return { files, recipe };
}

/** Paths that a recipe names on this machine, as it writes them. */
function localPaths(recipe: Recipe): string[] {
  const paths = recipe.components.flatMap(({ source }) => {
    if (source.type === 'file') {
      return recipe.architectures.map((architecture) =>
        fill(source.path, { arch: source.archNames[architecture], version: source.version }),
      );
    }
    if (source.type !== 'go-module') return [];
    return [...(source.directory === undefined ? [] : [source.directory]), ...Object.values(source.overlay)];
  });
  const { signing } = recipe;
  const certificates = signing === undefined ? [] : [signing.certificate, ...signing.alsoTrust];
  return [...new Set([...paths, ...certificates])];
}

/** The recipe's text with these mirrors instead of its own, its comments kept. */
function withMirrors(text: string, mirrors: readonly Mirror[]): string {
  const document = parseDocument(text);
  document.set('mirrors', document.createNode(mirrors.map(({ from, to }) => ({ from, to }))));
  return document.toString({ lineWidth: 0 });
}

async function one(path: string, common: string): Promise<RecipeFile> {
  const status = await lstat(path);
  return {
    path: relative(common, path),
    from: path,
    executable: (status.mode & 0o111) !== 0,
    ...(await fileDigest(path)),
  };
}

async function folder(path: string, common: string, signal: AbortSignal): Promise<RecipeFile[]> {
  const entries = await listFolder(path, signal);
  const strange = entries.find(
    ({ kind, path: at }) =>
      kind === 'link' || (kind === 'folder' && !entries.some((other) => other.path.startsWith(`${at}/`))),
  );
  if (strange !== undefined) {
    throw new SextantError(
      'input',
      `${join(path, strange.path)}: is ${strange.kind === 'link' ? 'a link' : 'an empty folder'}, and a mirror holds files`,
      { hint: 'put a file into it, or the file itself in the place of the link' },
    );
  }
  return entries.flatMap((entry) =>
    entry.kind === 'file'
      ? [
          {
            path: relative(common, join(path, entry.path)),
            from: join(path, entry.path),
            sha256: entry.sha256,
            size: entry.size,
            executable: entry.executable,
          },
        ]
      : [],
  );
}
