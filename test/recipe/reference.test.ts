import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { recipeJsonSchema, recipeReference } from '../../src/recipe/reference.ts';
import { expectGolden } from '../golden.ts';

test('the committed JSON Schema is the one the program checks recipes with', () => {
  expectGolden(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`, 'schema/sextant.schema.json');
});

test('docs/recipe.md lists every key of a recipe', () => {
  const page = readFileSync('docs/recipe.md', 'utf8');
  const [before, after] = [page.indexOf('<!-- keys -->'), page.indexOf('<!-- /keys -->')];
  const updated = `${page.slice(0, before)}<!-- keys -->\n\n${recipeReference()}\n\n${page.slice(after)}`;
  expect(before).toBeGreaterThan(0);
  expectGolden(updated, 'docs/recipe.md');
});
