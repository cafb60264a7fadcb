import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadRecipe } from '../../../src/recipe/load.ts';
import { recipeFiles } from '../../../src/release/mirror/recipe.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-recipe-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('while a key is exchanged both certificates go along, and neither key', async () => {
  const file = join(folder, 'sextant.yaml');
  const recipe = {
    name: 'small',
    distribution: { name: 'k3s', version: 'v1.36.3+k3s1' },
    components: [
      {
        name: 'provider',
        source: { type: 'file', path: 'agent-provider-test', version: 'v1' },
        files: [{ from: 'agent-provider-test', to: '/usr/lib/kairos/providers/agent-provider-test' }],
      },
    ],
    provider: { component: 'provider', plugin: 'agent-provider-test' },
    architectures: ['amd64'],
    signing: { key: 'one.key', certificate: 'one.crt', alsoTrust: ['two.crt'] },
  };
  writeFileSync(file, stringify(recipe));
  for (const name of ['agent-provider-test', 'one.crt', 'two.crt', 'one.key', 'two.key'])
    writeFileSync(join(folder, name), name);
  const { files } = await recipeFiles(await loadRecipe(file), [], [], new AbortController().signal);
  expect(files.map(({ path }) => path).sort()).toEqual([
    'agent-provider-test',
    'one.crt',
    'sextant.yaml',
    'two.crt',
  ]);
});
