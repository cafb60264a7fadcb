import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeLab, type Lab, openLab } from '../../src/lab/lab.ts';
import { findAccelerator } from '../../src/lab/machine/accelerator.ts';
import { chosenScenarios, lookFurther, runScenario } from '../../src/lab/run-scenarios.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { labCore, labRelease, progress, RECIPE } from './release.ts';

// `make lab` runs every scenario; these are the ones without which nothing that Sextant says about a node holds.
const NAMES = [
  'installed-core-node',
  'next-boots',
  'tampered-file',
  'faulty-server',
  'broken-extension',
  'power-cut', // One cut, at a moment whose seed is printed.
];

const folder = resolve('test-results/lab');
const abort = new AbortController();
const context = { cache: cacheFolder(), progress, signal: abort.signal };
let lab: Lab;

beforeAll(async () => {
  const releaseFolder = labRelease();
  const accelerator = await findAccelerator(context.signal);
  progress.say(
    accelerator.name === 'kvm' ? 'guests run under KVM' : `guests are emulated: ${accelerator.why}`,
  );
  lab = await openLab(context, {
    folder,
    base: await labCore(context.signal),
    accelerator,
    releaseFolder,
    recipe: RECIPE,
  });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
});

afterAll(async () => {
  abort.abort();
  if (lab !== undefined) await closeLab(lab);
});

test.each(chosenScenarios(NAMES).map((scenario) => [scenario.sentence, scenario] as const))(
  '%s',
  async (_, scenario) => {
    const result = await runScenario(lab, scenario);
    const { name, seconds, kept } = result;
    const called = { program: 'node build/sextant.js', release: lab.releaseFolder };
    if (kept !== undefined)
      progress.say(`look further:\n  ${lookFurther({ name, kept, ...called }).join('\n  ')}`);
    // Not an assertion on the text: it would be cut short, and it is all that the end of a log says.
    if (result.failure !== undefined)
      throw new Error(`${name} after ${seconds.toFixed(0)} s: ${result.failure}`);
    expect(result.passed).toBe(true);
  },
);
