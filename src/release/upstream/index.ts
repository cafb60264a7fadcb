import { lockFileOf, readLock, staleness } from '../../lock/lock.ts';
import type { Lock } from '../../lock/types.ts';
import { type LoadedRecipe, loadRecipe } from '../../recipe/load.ts';
import { type Variant, variants } from '../../recipe/matrix.ts';
import type { Recipe } from '../../recipe/schema.ts';
import type { Trust } from '../../sources/debian/index.ts';
import { resolveDistributionVersion } from '../../sources/github-release/distribution.ts';
import { compareVersions } from '../../sources/github-release/versions.ts';
import type { SourceContext } from '../../sources/types.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { distributionRepository } from '../lock-recipe.ts';
import { openVariant } from '../open.ts';
import { openSession } from '../session.ts';
import { lockChange } from './lock-change.ts';
import { newer, newestRelease, releaseLink } from './sources.ts';
import { newerTools } from './tools.ts';
import type { News, Watched } from './types.ts';

export interface WatchRequest {
  readonly recipe: string;
  readonly context: Context;
  /** Write the locks of what is newer and allowed. */
  readonly write: boolean;
  /** Whether the Debian packages of the tools are asked for, too. */
  readonly tools: boolean;
  /** Only these of the matrix, by id. */
  readonly only?: readonly string[];
  /** Whose signatures on a package archive count; default Debian's. */
  readonly trust?: Trust;
}

/**
 * Asks upstream for what is newer than a recipe's locks, release by release: the distribution, its components, the packages of the
 * tools. With `write` the locks take what the recipe allows. Anything that cannot be asked is an error: no news must mean no news.
 */
export async function watchUpstream(request: WatchRequest): Promise<readonly Watched[]> {
  const loaded = await loadRecipe(request.recipe);
  const all = variants(loaded.recipe);
  const unknown = request.only?.find((id) => !all.some((variant) => variant.id === id));
  if (unknown !== undefined) {
    throw new SextantError('usage', `${request.recipe}: its matrix has no ${unknown}`, {
      hint: `it has: ${all.map(({ id }) => id).join(', ')}`,
    });
  }
  const found: Watched[] = [];
  for (const variant of all) {
    if (request.only !== undefined && !request.only.includes(variant.id)) continue;
    found.push(await watchVariant(request, { ...loaded, recipe: variant.recipe }, variant));
  }
  return withoutCovered(found);
}

/** What lies outside of one release's range and is what another release of the matrix has is no news. */
function withoutCovered(watched: readonly Watched[]): readonly Watched[] {
  const covered = new Set(
    watched.flatMap(({ news, versions }) => [
      ...versions,
      ...news
        .filter(({ kind, allowed }) => kind === 'distribution' && allowed)
        .map(({ upstream }) => upstream),
    ]),
  );
  return watched.map((each) => ({
    ...each,
    news: each.news.filter(
      ({ kind, allowed, upstream }) => kind !== 'distribution' || allowed || !covered.has(upstream),
    ),
  }));
}

/** Whether anything is there that the recipe allows and the locks, as they were, do not have. */
export function somethingNew(watched: readonly Watched[]): boolean {
  return watched.some(({ news }) => news.some(({ allowed }) => allowed));
}

async function watchVariant(request: WatchRequest, loaded: LoadedRecipe, variant: Variant): Promise<Watched> {
  const { context, write } = request;
  const lockFile = lockFileOf(request.recipe, variant.lock);
  const lock = await readLock(lockFile);
  const stale = lock === undefined ? 'there is none yet' : staleness(lock, loaded.recipe);
  const look = { news: [] as News[], current: [] as string[], silent: [] as { name: string; why: string }[] };
  if (lock === undefined || stale !== undefined) {
    look.news.push({ kind: 'lock', name: lockFile, locked: '', upstream: stale ?? '', allowed: true });
  } else {
    const session = await openSession(loaded, context, {
      frozen: false,
      go: lock.tools.go?.version ?? 'go0',
    });
    await lookAt(loaded.recipe, lock, session.sources, look, request);
  }
  const versions = lock === undefined ? [] : [lock.distribution.version];
  const watched = { id: variant.id, lockFile, versions, ...look };
  if (!write || !look.news.some(({ allowed }) => allowed)) return watched;
  const names = look.news
    .filter(({ kind, allowed }) => kind === 'component' && allowed)
    .map(({ name }) => name);
  const opened = await openVariant({
    recipe: request.recipe,
    loaded,
    ...(variant.lock === undefined ? {} : { variant: variant.lock }),
    context,
    frozen: false,
    update: names,
    updateTools: look.news.some(({ kind }) => kind === 'tools'),
  });
  return { ...watched, written: lockChange(lock, opened.lock) };
}

async function lookAt(
  recipe: Recipe,
  lock: Lock,
  sources: SourceContext,
  look: { news: News[]; current: string[]; silent: { name: string; why: string }[] },
  { trust, tools }: WatchRequest,
): Promise<void> {
  const ask = <T>(name: string, work: () => Promise<T>) =>
    inStep(sources.progress, `upstream of ${name}`, work);
  const distribution = await ask(recipe.distribution.name, () => newerDistribution(recipe, lock, sources));
  if (distribution === undefined) look.current.push(recipe.distribution.name);
  else look.news.push(distribution);
  for (const component of recipe.components) {
    const { name } = component;
    const seen = new Set<string>();
    let told = false;
    for (const architecture of recipe.architectures) {
      const locked = lock.architectures[architecture]?.components.find((entry) => entry.name === name);
      if (locked === undefined) continue;
      const found = await ask(name, () =>
        newer({
          component,
          locked,
          architecture,
          context: sources,
          ...(trust === undefined ? {} : { trust }),
        }),
      );
      if (found === undefined) continue;
      told = true;
      if ('silent' in found) {
        look.silent.push({ name, why: found.silent });
        break;
      }
      const key = `${locked.version} ${found.upstream}`;
      if (seen.has(key)) continue;
      seen.add(key);
      look.news.push({
        kind: 'component',
        name,
        locked: lockedText(locked.version, locked.detail),
        ...found,
      });
    }
    if (!told) look.current.push(name);
  }
  if (tools) look.news.push(...(await ask('the tools', () => newerTools(lock, sources, trust))));
}

function lockedText(version: string, detail: Readonly<Record<string, unknown>> | undefined): string {
  return typeof detail?.manifest === 'string' ? detail.manifest : version;
}

async function newerDistribution(
  recipe: Recipe,
  lock: Lock,
  sources: SourceContext,
): Promise<News | undefined> {
  const { name, version: asked, standin } = recipe.distribution;
  const locked = lock.distribution.version;
  const repository = distributionRepository(recipe);
  const base = { kind: 'distribution', name, locked } as const;
  const now = await resolveDistributionVersion(repository, asked, sources);
  if (now !== locked) {
    return { ...base, upstream: now, allowed: true, link: releaseLink(repository, now) };
  }
  if (standin || !repository.includes('/')) return undefined;
  const newest = await newestRelease(repository, locked, sources);
  if (newest === undefined || compareVersions(newest, now) <= 0) return undefined;
  return { ...base, upstream: newest, allowed: false, link: releaseLink(repository, newest) };
}
