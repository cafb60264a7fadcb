import type { Recipe } from './schema.ts';

/** One release of a recipe's matrix. */
export interface Variant {
  /** Names the release among the others, e.g. "k3s-1.36"; safe in file names. */
  readonly id: string;
  /** What the lock's file name has of it: undefined where the recipe has no matrix and one lock is all there is. */
  readonly lock: string | undefined;
  /** The recipe with this release's distribution, version and architectures, and no matrix. */
  readonly recipe: Recipe;
}

/** The releases that a recipe stands for, in its order: one for each version of each row, or the recipe itself without a matrix. Pure. */
export function variants(recipe: Recipe): Variant[] {
  const { distribution } = recipe;
  if (recipe.matrix.length === 0) {
    return [{ id: idOf(distribution.name, distribution.version), lock: undefined, recipe }];
  }
  return recipe.matrix.flatMap((row) =>
    row.versions.map((version) => {
      const name = row.distribution ?? distribution.name;
      const repository = row.repository ?? (name === distribution.name ? distribution.repository : undefined);
      const id = idOf(name, version);
      return {
        id,
        lock: id,
        recipe: {
          ...recipe,
          distribution: {
            name,
            version,
            standin: distribution.standin,
            ...(repository === undefined ? {} : { repository }),
          },
          architectures: row.architectures ?? recipe.architectures,
          matrix: [],
        },
      };
    }),
  );
}

/** "k3s" and "~1.36" -> "k3s-1.36": what a file name may hold, without the range's signs. */
function idOf(distribution: string, version: string): string {
  return `${distribution}-${version}`
    .replace(/[^\w.+-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^-|-$/g, '');
}
