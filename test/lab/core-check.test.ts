import { expect, test } from 'vitest';
import { CORE_FACTS, checkCore } from '../../src/lab/core-check.ts';
import { run } from '../../src/support/subprocess.ts';

test('a core image passes', () => {
  expect(() => checkCore('node1', 'kairos v4.1.0\nsystemd 257\n')).not.toThrow();
});

test.each([
  ['kairos \nsystemd 257\n', 'not Kairos'],
  ['kairos v3.0.0\nsystemd 252\n', 'systemd 252, 255 or newer is needed'],
  ['kairos v4.1.0\nsystemd \n', 'no systemd'],
  [
    'kairos v4.1.0\nsystemd 257\nprovider /system/providers/agent-provider-kairos\n',
    'a standard image already',
  ],
])('%j is refused', (facts, said) => {
  expect(() => checkCore('node1', facts)).toThrow(said);
});

test('the script says of this machine that it is not Kairos', async () => {
  const { stdout } = await run('sh', ['-c', CORE_FACTS]);
  expect(stdout.toString()).toMatch(/^kairos *$/m);
});
