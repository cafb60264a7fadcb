import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Lock } from '../../lock/types.ts';
import { type LoadedRecipe, loadRecipe } from '../../recipe/load.ts';
import { variants } from '../../recipe/matrix.ts';
import { parseModuleAddress } from '../../sources/go-module/index.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256, withTemporaryFolder, writeFileAtomically } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { releaseActivation } from '../activation.ts';
import { verifyChecksums } from '../checksums.ts';
import { releaseFrom } from '../obtain.ts';
import { openVariant } from '../open.ts';
import { readRelease } from '../read.ts';
import { type Fetched, fetchInputs } from './inputs.ts';
import { addressOf, mirrorPath, mirrorRules } from './layout.ts';
import { place } from './place.ts';
import { type RecipeFile, recipeFiles } from './recipe.ts';

export interface MirrorRequest {
  readonly recipe: string;
  readonly output: string;
  /** Address that the folder will be served at; default its own file:// address. */
  readonly url?: string;
  /** Build machines that the tools are for. */
  readonly hosts: readonly Architecture[];
  /** Releases to put in: folders or addresses. */
  readonly releases: readonly string[];
  readonly context: Context;
}

export interface MirroredRelease {
  readonly name: string;
  /** Relative to the mirror; undefined where nodes have no address to fetch it from. */
  readonly activation?: string;
}

export interface Mirrored {
  /** The recipe's copy in the mirror, relative to it. */
  readonly recipe: string;
  readonly base: string;
  readonly files: number;
  readonly bytes: number;
  /** Files that were not there before. */
  readonly written: number;
  readonly releases: readonly MirroredRelease[];
}

interface Listed {
  readonly path: string;
  readonly url?: string;
  readonly sha256: string;
  readonly size: number;
}

/**
 * Copies everything that building a recipe's releases asks the network for into a folder, so that any web server that serves it, or the
 * folder itself, takes the network's place; beside it the recipe with the `mirrors` that send it there, its locks and its local files, and
 * finished releases with activation files that fetch from there. What is there and right is kept, nothing is removed.
 */
export async function mirrorRecipe(request: MirrorRequest): Promise<Mirrored> {
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
  };
}

const INDEX = 'mirror.json';

/** What all releases of the recipe are made from; their locks are written where they are missing or stale. */
async function everything(request: MirrorRequest, loaded: LoadedRecipe): Promise<Fetched[]> {
  const found = new Map<string, Fetched>();
  for (const variant of variants(loaded.recipe)) {
    const opened: { lock: Lock; session: { sources: Parameters<typeof fetchInputs>[3] } } = await openVariant(
      {
        recipe: request.recipe,
        loaded: { ...loaded, recipe: variant.recipe },
        ...(variant.lock === undefined ? {} : { variant: variant.lock }),
        context: request.context,
        frozen: false,
      },
    );
    const inputs = await fetchInputs(variant.recipe, opened.lock, request.hosts, opened.session.sources);
    for (const each of inputs) {
      const other = found.get(each.blob.url);
      if (other !== undefined && other.blob.sha256 !== each.blob.sha256) {
        throw new SextantError(
          'input',
          `${each.blob.url}: two locks of ${request.recipe} hold different bytes of it`,
          { hint: 'run `sextant watch-upstream --write`, so that both take what is there now' },
        );
      }
      found.set(each.blob.url, each);
    }
  }
  return [...found.values()];
}

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
  const name = `${release.distribution}-${release.version}`;
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
  // A catalog of the releases is made in it by `sextant catalog`.
  const ours = new Set([INDEX, 'http', 'https', 'go', 'recipe', 'releases', 'activation', 'catalog']);
  const foreign = names.find((name) => !ours.has(name) && !name.startsWith('.'));
  if (foreign === undefined) return;
  throw new SextantError('filesystem', `${named}: holds ${foreign}, which is no part of a mirror`, {
    hint: 'give a folder of its own with --output',
  });
}
