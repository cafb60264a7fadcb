import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { cacheFolder } from '../../src/support/context.ts';
import { type RunResult, run } from '../../src/support/subprocess.ts';
import { ACTION, GITHUB, GITLAB } from './documents.ts';

const judges = join(cacheFolder(), 'judges');
const ANY = Array.from({ length: 256 }, (_, code) => code);

/** What actionlint, with shellcheck for the scripts, has against workflows; they are looked at as a repository's. */
async function actionlint(files: Readonly<Record<string, string>>): Promise<RunResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-actionlint-'));
  try {
    const workflows = join(folder, '.github/workflows');
    await mkdir(workflows, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(workflows, name), text);
    return await run(
      join(judges, 'go/bin/actionlint'),
      ['-no-color', ...Object.keys(files).map((name) => join(workflows, name))],
      {
        cwd: folder,
        okCodes: ANY,
        missingHint: 'make tools',
      },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function schema(name: string, file: string): Promise<RunResult> {
  return run('python3', ['-m', 'check_jsonschema', '--builtin-schema', name, resolve(file)], {
    env: { PATH: process.env.PATH ?? '', PYTHONPATH: join(judges, 'check-jsonschema'), LANG: 'C.UTF-8' },
    okCodes: ANY,
    missingHint: 'make tools',
  });
}

test('actionlint has nothing to say about the workflows', async () => {
  const files = Object.fromEntries(
    await Promise.all(GITHUB.map(async (file) => [basename(file), await readFile(file, 'utf8')] as const)),
  );
  const { code, stdout } = await actionlint(files);
  expect(stdout.toString()).toBe('');
  expect(code).toBe(0);
});

test('it would have: a wrong expression, and an unquoted variable in a script', async () => {
  const text = (await readFile('.github/workflows/pipeline.yml', 'utf8'))
    .replace('${{ inputs.pages-branch }}', '${{ inputs.page-branch }}')
    .replace('cd "$RUNNER_TEMP/sextant"', 'cd $RUNNER_TEMP/sextant');
  const said = (await actionlint({ 'pipeline.yml': text })).stdout.toString();
  expect(said).toContain('property "page-branch" is not defined');
  expect(said).toContain('SC2086');
});

test.each<readonly [string, string]>([
  ['vendor.github-actions', ACTION],
  ['vendor.gitlab-ci', GITLAB],
  ...GITHUB.map((file) => ['vendor.github-workflows', file] as const),
])("%s, the forge's own schema, holds for %s", async (name, file) => {
  const { code, stdout } = await schema(name, file);
  expect(stdout.toString()).toContain('ok -- validation done');
  expect(code).toBe(0);
});

test('shellcheck has nothing to say about the scripts', async () => {
  const scripts = (await readdir('actions'))
    .filter((name) => name.endsWith('.sh'))
    .map((name) => `actions/${name}`);
  expect(scripts.length).toBeGreaterThan(5);
  await run('shellcheck', ['--external-sources', ...scripts], {
    cwd: process.cwd(),
    missingHint: 'apt-get install -y shellcheck',
  });
});
