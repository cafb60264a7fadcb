import { expect, test } from 'vitest';
import { parseRecipe, recipeDigest } from '../../src/recipe/load.ts';
import { variants } from '../../src/recipe/matrix.ts';

const head = `
distribution: { name: k3s, version: v1.36.3+k3s1 }
components: [{ name: provider-kairos, source: { type: file, path: p } }]
`;

function recipeOf(matrix: string) {
  const parsed = parseRecipe(`${head}${matrix}`);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.recipe;
}

test('a recipe without a matrix is one release with the one lock', () => {
  const recipe = recipeOf('');
  expect(variants(recipe)).toEqual([{ id: 'k3s-v1.36.3+k3s1', lock: undefined, recipe }]);
});

test('each version of each row is a release of its own, with a name that a file can have', () => {
  const found = variants(
    recipeOf(`
matrix:
  - { versions: ["~1.36", ">=1.35 <1.36"] }
  - { distribution: k0s, versions: [stable], architectures: [arm64] }
`),
  );
  expect(
    found.map(({ id, lock, recipe }) => [id, lock, recipe.distribution.name, recipe.distribution.version]),
  ).toEqual([
    ['k3s-1.36', 'k3s-1.36', 'k3s', '~1.36'],
    ['k3s-1.35-1.36', 'k3s-1.35-1.36', 'k3s', '>=1.35 <1.36'],
    ['k0s-stable', 'k0s-stable', 'k0s', 'stable'],
  ]);
  expect(found.map(({ recipe }) => recipe.architectures)).toEqual([
    ['amd64', 'arm64'],
    ['amd64', 'arm64'],
    ['arm64'],
  ]);
  expect(found.every(({ recipe }) => recipe.matrix.length === 0)).toBe(true);
});

test('a repository given for the distribution is not that of another distribution', () => {
  const recipe = recipeOf('matrix: [{ versions: [a] }, { distribution: k0s, versions: [b] }]');
  const own = { ...recipe, distribution: { ...recipe.distribution, repository: 'fork/k3s' } };
  expect(variants(own).map((each) => each.recipe.distribution.repository)).toEqual(['fork/k3s', undefined]);
});

test('two entries that would share a lock are a problem with line and path', () => {
  const parsed = parseRecipe(`${head}matrix:\n  - { versions: ["~1.36"] }\n  - { versions: ["^1.36"] }\n`);
  expect(parsed).toEqual({
    problems: [
      {
        line: 6,
        path: 'matrix[1].versions[0]',
        message: '"^1.36" makes a second k3s-1.36; the matrix names each release once',
      },
    ],
  });
});

test('a matrix makes no lock stale', () => {
  expect(recipeDigest(recipeOf('matrix: [{ versions: [stable] }]'))).toBe(recipeDigest(recipeOf('')));
});
