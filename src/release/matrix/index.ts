import { join } from 'node:path';
import { type LoadedRecipe, loadRecipe } from '../../recipe/load.ts';
import { type Variant, variants } from '../../recipe/matrix.ts';
import type { Recipe } from '../../recipe/schema.ts';
import type { Context } from '../../support/context.ts';
import { SextantError, toSextantError } from '../../support/errors.ts';
import { taggedPlace } from '../../support/registry/blob-address.ts';
import { isAddress, isRegistryPlace } from '../address.ts';
import { buildInputs, buildRelease, servedFrom } from '../build.ts';
import { openVariant } from '../open.ts';
import { type Admission, admission } from './admission.ts';
import { memoryEstimate } from './memory.ts';
import { type Published, publishedState } from './published.ts';
import { rowProgress } from './row-progress.ts';
import type { MatrixView, Row } from './types.ts';

export interface MatrixRequest {
  readonly recipe: string;
  /** Folder of the releases: each in DISTRIBUTION-VERSION below it. */
  readonly output: string;
  readonly context: Context;
  readonly view: MatrixView;
  readonly frozen: boolean;
  /** Without the recipe's `signing`; default false. */
  readonly unsigned?: boolean;
  /** Releases at a time, and bytes of memory that they may take together by estimate. */
  readonly jobs: number;
  readonly memory: number;
  /** Only these rows, by id; all without. */
  readonly only?: readonly string[];
  /**
   * Where releases are looked for that need not be built: a folder or address that holds DISTRIBUTION-VERSION folders, oci://HOST/REPOSITORY
   * with each under its version, `false` for nowhere; the default is each release's own `release.url`.
   */
  readonly published?: string | false;
  readonly cacheLimit: number;
  /** Instead of the recipe's `release.url`. */
  readonly url?: string;
  /** Versions of `file` and `url` components instead of the recipe's, by component: what a pipeline has just built has the pipeline's version. */
  readonly versions?: Readonly<Record<string, string>>;
}

/**
 * Builds the releases of a recipe's matrix, several at a time. What is done stays done: a release whose folder is whole, and one that is
 * published as it would be built, are left as they are, so that the same call goes on where another ended. A release that fails is a
 * row with an error, the others go on. Throws for what concerns all of them: a wrong recipe, an interruption.
 */
export async function releaseMatrix(request: MatrixRequest): Promise<readonly Row[]> {
  const written = await loadRecipe(request.recipe);
  const loaded = { ...written, recipe: overridden(written.recipe, request) };
  const wanted = chosen(request, variants(loaded.recipe));
  const gate = admission(request);
  const taken = new Map<string, string>();
  const rows = wanted.map((variant) => rowOf(variant));
  for (const row of rows) request.view.changed(row);
  await Promise.all(
    wanted.map(async (variant, at) => {
      const row = rows[at] as Row;
      await one({ request, loaded, variant, row, gate, taken });
    }),
  );
  if (request.context.signal.aborted) request.context.signal.throwIfAborted();
  return rows;
}

function overridden(
  { signing, ...recipe }: Recipe,
  { recipe: file, url, versions = {}, unsigned = false }: MatrixRequest,
): Recipe {
  for (const name of Object.keys(versions)) {
    const source = recipe.components.find((component) => component.name === name)?.source;
    if (source?.type === 'file' || source?.type === 'url') continue;
    throw new SextantError(
      'usage',
      `${file}: ${source === undefined ? 'no component is named' : 'upstream says the version of'} ${name}`,
      { hint: '--component-version is for components of the types file and url' },
    );
  }
  const components = recipe.components.map((component) => {
    const { name, source } = component;
    const version = versions[name];
    if (version === undefined || (source.type !== 'file' && source.type !== 'url')) return component;
    return { ...component, source: { ...source, version } };
  });
  return {
    ...recipe,
    ...(unsigned || signing === undefined ? {} : { signing }),
    components,
    release: url === undefined ? recipe.release : { ...recipe.release, url },
  };
}

function chosen({ recipe, only }: MatrixRequest, all: readonly Variant[]): readonly Variant[] {
  const unknown = only?.find((id) => !all.some((variant) => variant.id === id));
  if (unknown !== undefined) {
    throw new SextantError('usage', `${recipe}: its matrix has no ${unknown}`, {
      hint: `it has: ${all.map(({ id }) => id).join(', ')}`,
    });
  }
  return only === undefined ? all : all.filter(({ id }) => only.includes(id));
}

function rowOf({ id, recipe }: Variant): Row {
  return {
    id,
    distribution: recipe.distribution.name,
    asked: recipe.distribution.version,
    architectures: recipe.architectures,
    state: 'waiting',
    note: '',
  };
}

interface Work {
  readonly request: MatrixRequest;
  readonly loaded: LoadedRecipe;
  readonly variant: Variant;
  readonly row: Row;
  readonly gate: Admission;
  /** Release folders that rows have taken: folder -> id. */
  readonly taken: Map<string, string>;
}

async function one(work: Work): Promise<void> {
  const { request, row, gate, variant } = work;
  const set = (change: Partial<Row>) => {
    Object.assign(row, change);
    request.view.changed(row);
  };
  try {
    await gate.run(memoryEstimate(variant.recipe), async () => {
      if (request.context.signal.aborted) {
        set({ state: 'interrupted' });
        return;
      }
      set({ state: 'locking', began: Date.now() });
      await build(work, set);
    });
  } catch (thrown) {
    const error = toSextantError(thrown);
    const interrupted = request.context.signal.aborted;
    set({ state: interrupted ? 'interrupted' : 'failed', note: error.message, error });
  } finally {
    set({ ended: Date.now() });
  }
}

async function build(
  { request, loaded, variant, row, taken }: Work,
  set: (change: Partial<Row>) => void,
): Promise<void> {
  const context = { ...request.context, progress: rowProgress(row, request.view) };
  const opened = await openVariant({
    recipe: request.recipe,
    loaded: { ...loaded, recipe: variant.recipe },
    ...(variant.lock === undefined ? {} : { variant: variant.lock }),
    context,
    frozen: request.frozen,
  });
  const { name, version } = opened.lock.distribution;
  const folder = join(request.output, `${name}-${version}`);
  const other = taken.get(folder);
  if (other !== undefined) {
    set({ state: 'same', version, note: `the same version as ${other}` });
    return;
  }
  taken.set(folder, variant.id);
  set({ state: 'checking', version, folder, note: '' });
  const look = async (place: string, digest: string): Promise<Published> =>
    // A frozen build uses no network.
    request.frozen && (isAddress(place) || isRegistryPlace(place))
      ? { state: 'absent' }
      : publishedState(place, digest, { ...context, mirrors: loaded.recipe.mirrors });
  if (request.published !== false) {
    const named = request.published ?? servedFrom(opened.session, opened.lock);
    const place = isRegistryPlace(named)
      ? taggedPlace(named, version)
      : request.published === undefined
        ? named
        : below(named, `${name}-${version}`);
    const { build: digest } = await buildInputs(opened);
    const found = await look(place, digest);
    if (found.state === 'unchanged') {
      set({ state: 'published', note: place });
      return;
    }
    if (found.state === 'unknown')
      request.view.said(row, `whether it is published is not known: ${found.why}`);
    if (found.state === 'other') request.view.said(row, `published at ${place} is another: ${found.why}`);
  }
  set({ state: 'building', note: '' });
  const { release, fresh } = await buildRelease({
    ...opened,
    output: folder,
    cacheLimit: request.cacheLimit,
  });
  set({ state: fresh ? 'built' : 'present', note: '', release });
}

function below(place: string, name: string): string {
  return isAddress(place) ? `${place.replace(/\/+$/, '')}/${encodeURIComponent(name)}` : join(place, name);
}
