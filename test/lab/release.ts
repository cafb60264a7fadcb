import { resolve } from 'node:path';
import { expect } from 'vitest';
import { coreFrom } from '../../src/lab/core-source.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { terminalProgress } from '../../src/support/terminal.ts';
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

/** Where the guests' tests report, plainly and not too often. */
export const progress = terminalProgress({
  output: process.stderr,
  live: false,
  colour: false,
  plainSeconds: 30,
});

/** The lab's core image on a disk; made when the cache does not have it, which takes minutes and is shown. */
export function labCore(signal: AbortSignal): Promise<string> {
  return coreFrom(undefined, { cache: cacheFolder(), progress, signal });
}
