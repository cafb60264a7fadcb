import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { lockFileOf, readLock, writeLock } from '../lock/lock.ts';
import type { LockedArchitecture } from '../lock/types.ts';
import { findComponent, loadRecipe } from '../recipe/load.ts';
import { buildRelease } from '../release/build.ts';
import { definitionDigest } from '../release/components.ts';
import { openRecipe } from '../release/open.ts';
import type { Release } from '../release/types.ts';
import { cacheLimit } from '../sources/cache.ts';
import { SextantError } from '../support/errors.ts';
import type { Lab } from './lab.ts';

/** A release and where it is. */
export interface BuiltRelease {
  readonly folder: string;
  readonly release: Release;
  /** Of its image for the guests. */
  readonly rootHash: string;
}

/**
 * Another release from the lab's recipe with its text changed, for amd64. The recipe's relative paths keep their meaning; `files` are put
 * beside the changed one.
 */
export async function variantRelease(
  lab: Lab,
  name: string,
  change: (recipe: string) => string,
  files: Readonly<Record<string, string>> = {},
): Promise<BuiltRelease> {
  const own = join(lab.folder, 'variants', name);
  await mkdir(own, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(own, file), content);
  const recipe = join(own, 'sextant.yaml');
  const folder = dirname(resolve(lab.recipe));
  const text = await readFile(lab.recipe, 'utf8');
  const placed = text.replace(
    /(directory|path|cmd\/k3s-standin): \.\.\//g,
    (_, key: string) => `${key}: ${dirname(folder)}/`,
  );
  const changed = change(placed);
  if (changed === placed) {
    throw new SextantError('input', `${lab.recipe}: has nothing that this scenario could change`, {
      hint: 'give the recipe of the release with --recipe',
    });
  }
  // Only what the guests need is locked and built.
  const limited = /^architectures:/m.test(changed) ? changed : `${changed}\narchitectures: [amd64]\n`;
  await writeFile(recipe, limited);
  await takeLock(lab.recipe, recipe);
  const opened = await openRecipe({ recipe, context: lab.context, frozen: false, architectures: ['amd64'] });
  const { release } = await buildRelease({ ...opened, output: join(own, 'dist'), cacheLimit: cacheLimit() });
  return { folder: join(own, 'dist'), release, rootHash: release.images[0]?.rootHash ?? '' };
}

/**
 * The lab's own lock for a variant's recipe. Go programs differ in flags and in how their folders are written at most, so their modules, which
 * take minutes to resolve, are kept; a build holds them to what the recipe says in any case.
 */
async function takeLock(from: string, to: string): Promise<void> {
  const lock = await readLock(lockFileOf(from));
  if (lock === undefined) return;
  const { recipe } = await loadRecipe(to);
  const renewed = ({ components, ...rest }: LockedArchitecture): LockedArchitecture => ({
    ...rest,
    components: components.map((entry) => {
      const component = findComponent(recipe, entry.name);
      const isGo = entry.type === 'go-module' && component !== undefined;
      return isGo ? { ...entry, definition: definitionDigest(component) } : entry;
    }),
  });
  const { amd64 } = lock.architectures;
  await writeLock(lockFileOf(to), {
    ...lock,
    architectures: amd64 === undefined ? {} : { amd64: renewed(amd64) },
  });
}
