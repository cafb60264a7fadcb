import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Lab } from '../../src/lab/lab.ts';
import type { LabNode } from '../../src/lab/node.ts';
import {
  chosenScenarios,
  inTurn,
  junit,
  lookFurther,
  parallelism,
  runScenario,
} from '../../src/lab/run-scenarios.ts';
import { SCENARIOS } from '../../src/lab/scenarios/index.ts';
import type { Scenario } from '../../src/lab/scenarios/types.ts';
import { preparation } from '../../src/lab/stage.ts';
import { SextantError } from '../../src/support/errors.ts';
import { silent } from '../../src/support/progress.ts';

test('scenarios have names of their own, each a sentence', () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, sentence } of SCENARIOS) {
    expect(name).toMatch(/^[a-z][a-z0-9-]+$/);
    expect(sentence.split(' ').length).toBeGreaterThan(5);
  }
});

test('all without names, in their order with names, an error for what is none', () => {
  expect(chosenScenarios([])).toBe(SCENARIOS);
  const [first, second] = SCENARIOS;
  expect(chosenScenarios([second?.name ?? '', first?.name ?? ''])).toEqual([first, second]);
  expect(() => chosenScenarios(['no-such'])).toThrow('no such scenario: no-such');
});

test('as many at once as processors and memory allow, at least one', () => {
  const GiB = 1024 ** 3;
  expect(parallelism(2, 20 * GiB)).toBe(1);
  expect(parallelism(8, 20 * GiB)).toBe(4);
  expect(parallelism(32, 11 * GiB)).toBe(2);
  expect(parallelism(1, GiB)).toBe(1);
});

test('scenarios begin in their order, as many as there is room for their guests', async () => {
  const names: string[] = [];
  const ends = new Map<string, () => void>();
  const scenarios = [
    { name: 'a' },
    { name: 'b', guests: 2 },
    { name: 'c' },
    { name: 'd' },
    { name: 'e', guests: 9 },
  ];
  const all = inTurn(scenarios, 3, ({ name }) => {
    names.push(name);
    return new Promise<void>((resolve) => void ends.set(name, resolve));
  });
  const end = async (name: string) => {
    ends.get(name)?.();
    await setTimeout(0);
    return names.join('');
  };
  await setTimeout(0);
  expect(names.join('')).toBe('ab');
  expect(await end('b')).toBe('abcd');
  expect(await end('a')).toBe('abcd'); // The last one needs all there is.
  expect(await end('c')).toBe('abcd');
  expect(await end('d')).toBe('abcde');
  await end('e');
  await all;
  await expect(inTurn(scenarios, 3, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});

test('JUnit: counts, and nothing that breaks the XML', () => {
  const control = String.fromCharCode(27);
  const text = junit([
    { name: 'a', sentence: 'one & <two>', passed: true, seconds: 1.5, checked: ['x'] },
    {
      name: 'b',
      sentence: 'three',
      passed: false,
      seconds: 2,
      checked: [],
      failure: `bad "thing"${control}[0m\nmore`,
    },
  ]);
  expect(text).toContain('<testsuite name="lab" tests="2" failures="1" time="3.5">');
  expect(text).toContain('name="one &amp; &lt;two&gt;"');
  expect(text).toContain('<failure message="bad &quot;thing&quot;[0m">');
  expect(text).not.toContain(control);
});

test('where what several scenarios start from could not be made, each of them points at that node', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-lab-'));
  try {
    const context = { cache: folder, progress: silent, signal: new AbortController().signal };
    const lab = { folder, context } as unknown as Lab;
    const scenario: Scenario = {
      name: 'next-boots',
      sentence: '',
      run: (stage) =>
        preparation(stage.lab, 'ready-node', (own) => {
          own.asked = { folder: '/kept/ready-node/node1' } as LabNode;
          throw new SextantError('verification', 'it never came to Ready');
        }),
    };
    expect(await runScenario(lab, scenario)).toMatchObject({
      passed: false,
      failure: 'it never came to Ready',
      kept: '/kept/ready-node/node1',
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a kept disk is offered for booting only where it has a boot loader', () => {
  const called = { program: 'node build/sextant.js', release: 'results/release' };
  const commands = (name: string) => lookFurther({ name, kept: '/kept/node2', ...called }).join('\n');
  expect(commands('next-boots')).toContain(
    'node build/sextant.js lab up --no-wait --release results/release --disk /kept/node2/disk.qcow2',
  );
  expect(commands('arm64-merge')).toContain('/kept/node2/console.log');
  expect(commands('arm64-merge')).not.toContain('lab up');
});
