import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { lockFileOf } from '../lock/lock.ts';
import { buildRelease } from '../release/build.ts';
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
  await copyFile(lockFileOf(lab.recipe), lockFileOf(recipe)).catch(() => {});
  const opened = await openRecipe({ recipe, context: lab.context, frozen: false, architectures: ['amd64'] });
  const { release } = await buildRelease({ ...opened, output: join(own, 'dist'), cacheLimit: cacheLimit() });
  return { folder: join(own, 'dist'), release, rootHash: release.images[0]?.rootHash ?? '' };
}
