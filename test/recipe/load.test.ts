import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasStandins, loadRecipe, parseRecipe, recipeDigest } from '../../src/recipe/load.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const minimal = `distribution: {name: k3s, version: v1.36.3+k3s1}
components:
  - name: provider-kairos
    source: {type: file, path: plugin}
    files: [{from: plugin, to: /usr/local/bin/agent-provider-kairos}]
`;

function problemsIn(text: string) {
  const parsed = parseRecipe(text);
  return 'problems' in parsed ? parsed.problems : [];
}

function recipeIn(text: string) {
  const parsed = parseRecipe(text);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.recipe;
}

test('a minimal recipe is filled with defaults', () => {
  const recipe = recipeIn(minimal);
  expect(recipe.name).toBe('provider-kairos');
  expect(recipe.architectures).toEqual(['amd64', 'arm64']);
  expect(recipe.image.compression).toBe('lz4hc');
  expect(recipe.provider.plugin).toBe('agent-provider-kairos');
});

test('every problem is reported at once, each with its line and path', () => {
  const problems = problemsIn(`distribution:
  name: k3s
colour: blue
components:
  - name: Bad Name
    source: {type: url, url: 7}
    files: [{from: a, to: relative/path}]
architectures: [amd64, riscv64]
`);
  expect(problems.map(({ line, path }) => `${line} ${path}`)).toEqual([
    '1 distribution.version',
    '3 colour',
    '5 components[0].name',
    '6 components[0].source.url',
    '7 components[0].files[0].to',
    '8 architectures[1]',
  ]);
  expect(problems[0]?.message).toContain('missing');
  expect(problems[1]?.message).toBe('unknown key');
});

test('an unknown source type names the known ones', () => {
  const [problem] = problemsIn(minimal.replace('type: file', 'type: ftp'));
  expect(problem).toMatchObject({ line: 4, path: 'components[0].source.type' });
});

test('a YAML syntax error has its line', () => {
  const [problem] = problemsIn('distribution: {name: k3s\ncomponents: [');
  expect(problem?.line).toBeGreaterThan(0);
});

test('names that must exist are checked', () => {
  const text = `${minimal}provider: {component: nothing}
hook: {answers: [{url: "https://get.k3s.io", component: neither}]}
`;
  expect(problemsIn(text).map(({ path }) => path)).toEqual([
    'provider.component',
    'hook.answers[0].component',
  ]);
});

test('two components of one name are refused', () => {
  const second = minimal.slice(minimal.indexOf('  - name'));
  expect(problemsIn(minimal + second)).toMatchObject([{ line: 6, path: 'components[1].name' }]);
});

test('a go-module source needs exactly one of module and directory', () => {
  const both = minimal.replace(
    '{type: file, path: plugin}',
    '{type: go-module, module: a.b/c, directory: x, binary: c}',
  );
  const noVersion = minimal.replace(
    '{type: file, path: plugin}',
    '{type: go-module, module: a.b/c, binary: c}',
  );
  expect(problemsIn(both)[0]?.message).toContain('either module');
  expect(problemsIn(noVersion)[0]?.message).toContain('exact version');
});

test('the digest follows what enters the build, not where it is served', () => {
  const served = recipeIn(`${minimal}release: {url: "https://example.org/x"}\n`);
  const renamed = recipeIn(minimal.replace('v1.36.3', 'v1.36.4'));
  expect(recipeDigest(served)).toBe(recipeDigest(recipeIn(minimal)));
  expect(recipeDigest(renamed)).not.toBe(recipeDigest(recipeIn(minimal)));
});

test('a stand-in anywhere marks the whole recipe', () => {
  expect(hasStandins(recipeIn(minimal))).toBe(false);
  expect(hasStandins(recipeIn(minimal.replace('name: k3s,', 'name: k3s, standin: true,')))).toBe(true);
});

test('a missing recipe file and a wrong one end in one error that names the file', async () => {
  const folder = await temporaryFolder();
  await expect(loadRecipe(join(folder, 'none.yaml'))).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('none.yaml'),
    hint: expect.stringContaining('sextant init'),
  });
  const file = join(folder, 'sextant.yaml');
  await writeFile(file, 'nonsense: 1\n');
  await expect(loadRecipe(file)).rejects.toMatchObject({
    code: 'input',
    details: expect.stringContaining(`${file}:1: nonsense: unknown key`),
  });
});
