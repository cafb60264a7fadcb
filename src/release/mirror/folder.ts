import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadRecipe } from '../../recipe/load.ts';
import { variants } from '../../recipe/matrix.ts';
import { parseModuleAddress } from '../../sources/go-module/index.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256, withTemporaryFolder, writeFileAtomically } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { releaseActivation } from '../activation.ts';
import { verifyChecksums } from '../checksums.ts';
import { releaseFrom } from '../obtain.ts';
import { readRelease } from '../read.ts';
import { putCatalog } from './catalog.ts';
import { everything } from './collect.ts';
import type { Fetched } from './inputs.ts';
import { addressOf, mirrorPath, mirrorRules } from './layout.ts';
import { place } from './place.ts';
import { type RecipeFile, recipeFiles } from './recipe.ts';
import {
  type Listed,
  type Mirrored,
  type MirroredRelease,
  type MirrorRequest,
  releaseName,
} from './types.ts';

export interface FolderRequest extends MirrorRequest {
  readonly output: string;
  /** Address that the folder will be served at; default its own file:// address. */
  readonly url?: string;
}

/**
 * Copies everything that building a recipe's releases asks the network for into a folder, so that any web server that serves it, or the
 * folder itself, takes the network's place; beside it the recipe with the `mirrors` that send it there, its locks and its local files, and
 * finished releases with activation files that fetch from there. What is there and right is kept, nothing is removed.
 */
export async function mirrorToFolder(request: FolderRequest): Promise<Mirrored> {
  const { context } = request;
  const output = resolve(request.output);
  const base = (request.url ?? pathToFileURL(output).href).replace(/\/+$/, '');
  await refuseForeignFolder(output, request.output);
  const loaded = await loadRecipe(request.recipe);
  const fetched = await everything(request, loaded);
  const rules = mirrorRules(
    fetched.map(({ blob }) => blob.url),
    base,
  );
  const listed = new Map<string, Listed>();
  let written = 0;
  const put = async (from: string, entry: Listed, mode?: number) => {
    const other = listed.get(entry.path);
    if (other !== undefined && other.sha256 !== entry.sha256) {
      throw new SextantError('input', `${entry.url} and ${other.url} would be one file in a mirror`, {
        hint: 'a static web server cannot tell them apart; take one of them out of the recipe',
      });
    }
    listed.set(entry.path, entry);
    if (await place(from, join(output, entry.path), entry, context.signal, mode)) written += 1;
  };
  await inStep(
    context.progress,
    'copy into the mirror',
    async (step) => {
      let done = 0;
      for (const { blob, path } of fetched) {
        step.update({ bytes: done, total: fetched.reduce((sum, each) => sum + each.blob.size, 0) });
        await put(path, { path: mirrorPath(blob.url), url: blob.url, sha256: blob.sha256, size: blob.size });
        done += blob.size;
      }
      await goInfos(fetched, output);
    },
    () => `${written} new files`,
  );
  const locks = variants(loaded.recipe).map(({ lock }) => lock);
  const own = await recipeFiles(loaded, locks, rules, context.signal);
  for (const file of own.files) await putRecipeFile(file, output, put);
  const releases: MirroredRelease[] = [];
  for (const source of request.releases) {
    releases.push(await putRelease(source, { output, base, context, put }));
  }
  const catalog =
    request.catalog === undefined
      ? undefined
      : await putCatalog(request.catalog, join(output, 'catalog'), context);
  const list = [...listed.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  await writeFileAtomically(
    join(output, INDEX),
    `${JSON.stringify({ mirrorVersion: 1, files: list }, null, 1)}\n`,
  );
  return {
    recipe: join('recipe', own.recipe),
    base,
    files: list.length,
    bytes: list.reduce((sum, { size }) => sum + size, 0),
    written,
    releases,
    ...(catalog === undefined ? {} : { catalog }),
  };
}

const INDEX = 'mirror.json';

/** The .info file that Go asks a proxy for beside each module: of it only the version matters. */
async function goInfos(fetched: readonly Fetched[], output: string): Promise<void> {
  for (const { blob } of fetched) {
    const module = parseModuleAddress(blob.url);
    if (module?.kind !== 'zip') continue;
    const path = join(output, mirrorPath(blob.url).replace(/zip$/, 'info'));
    await writeFileAtomically(path, JSON.stringify({ Version: module.version }));
  }
}

type Put = (from: string, entry: Listed, mode?: number) => Promise<void>;

async function putRecipeFile(file: RecipeFile, output: string, put: Put): Promise<void> {
  const path = join('recipe', file.path);
  const entry = { path, sha256: file.sha256, size: file.size };
  const mode = file.executable ? 0o755 : 0o644;
  if (typeof file.from === 'string') return put(file.from, entry, mode);
  const { text } = file.from;
  await withTemporaryFolder(join(output, path), async (folder) => {
    await writeFileAtomically(join(folder, 'recipe'), text);
    await put(join(folder, 'recipe'), entry, mode);
  });
}

async function putRelease(
  source: string,
  { output, base, context, put }: { output: string; base: string; context: Context; put: Put },
): Promise<MirroredRelease> {
  const folder = await releaseFrom(source, context);
  const release = await readRelease(folder);
  await inStep(context.progress, `release ${source}`, () => verifyChecksums(folder, context.signal));
  const name = releaseName(release);
  const to = join(output, 'releases', name);
  // As a whole: a node must not find half of one release and half of another.
  await withTemporaryFolder(to, async (made) => {
    for (const file of await readdir(folder, { withFileTypes: true })) {
      if (file.isFile()) await copyFile(join(folder, file.name), join(made, file.name));
    }
    await verifyChecksums(made, context.signal);
    await rm(to, { recursive: true, force: true });
    await mkdir(dirname(to), { recursive: true });
    await rename(made, to);
    await mkdir(made); // What withTemporaryFolder removes.
  });
  if (base.startsWith('file:')) {
    context.progress.say(
      `${name}: no activation file, nodes need an address: give --url where the mirror will be served`,
    );
    return { name };
  }
  const activation = await releaseActivation(release, to, { url: addressOf(base, `releases/${name}`) });
  const path = `activation/${name}.yaml`;
  await withTemporaryFolder(join(output, path), async (made) => {
    await writeFileAtomically(join(made, 'activation'), activation);
    await put(join(made, 'activation'), {
      path,
      sha256: sha256(activation),
      size: Buffer.byteLength(activation),
    });
  });
  return { name, activation: path };
}

async function refuseForeignFolder(output: string, named: string): Promise<void> {
  const names = await readdir(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  // A mirror that was interrupted before its first end has no index yet.
  const ours = new Set([INDEX, 'http', 'https', 'go', 'recipe', 'releases', 'activation', 'catalog']);
  const foreign = names.find((name) => !ours.has(name) && !name.startsWith('.'));
  if (foreign === undefined) return;
  throw new SextantError('filesystem', `${named}: holds ${foreign}, which is no part of a mirror`, {
    hint: 'give a folder of its own with --output',
  });
}
