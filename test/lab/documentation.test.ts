import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { deactivationCommands } from '../../src/lab/scenarios/deactivation.ts';
import { SCENARIOS } from '../../src/lab/scenarios/index.ts';

test('what the documentation says about deactivating is what the scenario does', async () => {
  const text = await readFile('docs/activation.md', 'utf8');
  const section = text.slice(text.indexOf('## Deactivating'), text.indexOf('## Limits'));
  const commands = section
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .map((line) => `${line.trim()}\n`);
  expect(commands.join('')).toBe(`${deactivationCommands('provider-kairos')}reboot\n`);
});

test('every scenario is in the documentation', async () => {
  const text = await readFile('docs/lab.md', 'utf8');
  for (const { name } of SCENARIOS) expect(text).toContain(`\`${name}\``);
});
