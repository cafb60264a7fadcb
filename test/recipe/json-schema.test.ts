import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseRecipe } from '../../src/recipe/load.ts';

// What an editor says by the committed JSON Schema, by a validator of its own, beside what the program says.

const ajv = new Ajv2020({ strict: true, allErrors: true });
formats.default(ajv);
const validate = ajv.compile(JSON.parse(readFileSync('schema/sextant.schema.json', 'utf8')));
const RECIPES = ['recipes', 'examples'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`),
);

test('there are recipes to look at', () => {
  expect(RECIPES.length).toBeGreaterThanOrEqual(6);
});

describe.each(RECIPES)('%s', (file) => {
  const text = readFileSync(file, 'utf8');

  test('is valid for the schema and for the program', () => {
    expect(validate(parse(text)), ajv.errorsText(validate.errors)).toBe(true);
    expect(parseRecipe(text)).toHaveProperty('recipe');
  });

  test.each<[string, (recipe: { components: Record<string, unknown>[] } & Record<string, unknown>) => void]>([
    ['an unknown key', (recipe) => Object.assign(recipe, { colour: 'red' })],
    ['an unknown key deep inside', (recipe) => Object.assign(recipe.components[0] ?? {}, { colour: 'red' })],
    ['a value of another type', (recipe) => Object.assign(recipe, { architectures: 'amd64' })],
    [
      'a source of no known type',
      (recipe) => Object.assign(recipe.components[0] ?? {}, { source: { type: 'ftp' } }),
    ],
    ['a missing key', (recipe) => delete recipe.distribution],
  ])('with %s is refused by both', (_what, change) => {
    const recipe = parse(text);
    change(recipe);
    expect(validate(recipe)).toBe(false);
    expect(parseRecipe(JSON.stringify(recipe))).toHaveProperty('problems');
  });
});
