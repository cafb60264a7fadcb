import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLock, staleness } from '../../src/lock/lock.ts';
import { parseRecipe } from '../../src/recipe/load.ts';

const root = join(import.meta.dirname, '../..');

async function recipeOf(file: string) {
  const parsed = parseRecipe(await readFile(join(root, file), 'utf8'));
  if ('problems' in parsed) throw new Error(`${file}: ${JSON.stringify(parsed.problems)}`);
  return parsed.recipe;
}

describe('the recipes that come with Sextant', () => {
  it.each([
    'recipes/k3s.yaml',
    'recipes/lab.yaml',
    'examples/k3s-single.yaml',
    'examples/k3s-p2p.yaml',
    'examples/k0s.yaml',
    'examples/airgap-mirror.yaml',
    'examples/airgap-images.yaml',
    'examples/matrix.yaml',
  ])('%s is valid', async (file) => {
    await expect(recipeOf(file)).resolves.toBeDefined();
  });

  it('has a lock for the lab recipe that fits it', async () => {
    const lock = await readLock(join(root, 'recipes/lab.lock.json'));
    if (lock === undefined) throw new Error('there is none');
    expect(staleness(lock, await recipeOf('recipes/lab.yaml'))).toBeUndefined();
  });

  it('calls every piece of test equipment in the lab recipe a stand-in', async () => {
    const { distribution, components } = await recipeOf('recipes/lab.yaml');
    expect(distribution.standin).toBe(true);
    const own = components.filter(({ source }) => JSON.stringify(source).includes('../standin/'));
    expect(own.map(({ name }) => name)).toEqual(['provider-kairos', 'k3s', 'pause', 'k3s-install-script']);
    expect(own.every(({ standin }) => standin)).toBe(true);
  });

  it('has no stand-in in the recipe for real nodes', async () => {
    const { distribution, components } = await recipeOf('recipes/k3s.yaml');
    expect(distribution.standin || components.some(({ standin }) => standin)).toBe(false);
  });
});
