import { spawnSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { coreFrom } from '../src/lab/core-source.ts';
import { type Lab, openLab } from '../src/lab/lab.ts';
import { findAccelerator } from '../src/lab/machine/accelerator.ts';
import { cacheFolder } from '../src/support/context.ts';
import { terminalProgress } from '../src/support/terminal.ts';

/** A lab for measuring, with recipes/lab.yaml built for its guests; its folder is emptied first. */
export async function benchLab(): Promise<Lab> {
  const progress = terminalProgress({ output: process.stderr, live: false, colour: false, plainSeconds: 60 });
  const context = { cache: cacheFolder(), progress, signal: new AbortController().signal };
  const releaseFolder = resolve('test-results/lab-release');
  const recipe = 'recipes/lab.yaml';
  const built = spawnSync(
    process.execPath,
    ['build/sextant.js', 'build', '--recipe', recipe, '--output', releaseFolder, '--arch', 'amd64'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (built.status !== 0) throw new Error('the release cannot be built');
  const folder = resolve('test-results/bench');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const accelerator = await findAccelerator(context.signal);
  const base = await coreFrom(undefined, context);
  return openLab(context, { folder, base, accelerator, releaseFolder, recipe });
}
