import { resolve } from 'node:path';
import { expect } from 'vitest';
import { sextant } from '../sextant.ts';

/** The recipe of what runs on the guests. */
export const RECIPE = 'recipes/lab.yaml';

/** The release for the guests, built by the bundled program; at once when it is there. */
export function labRelease(): string {
  const folder = 'test-results/lab-release';
  const { code } = sextant(['build', '--recipe', RECIPE, '--output', folder, '--arch', 'amd64'], {
    show: true,
  });
  expect(code).toBe(0);
  return resolve(folder);
}
