import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { git, programs, recorded, recorder, repository, script } from './stand-ins.ts';

// The scripts of actions/ with a recorder in the place of sextant: what they call, in which order, with what; and git for real.

let folder: string;
let bin: string;
let log: string;
let work: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-ci-'));
  [bin, log, work] = [join(folder, 'bin'), join(folder, 'log'), join(folder, 'work')];
  await mkdir(work);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Whether the real command line takes these arguments; nothing is run. */
function parses(args: readonly string[]): true | string {
  const program = new Command('sextant').exitOverride().configureOutput({ writeErr: () => {} });
  const quiet = (command: Command): Command => {
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
    command.action(() => {});
    for (const below of command.commands) quiet(below);
    return command;
  };
  for (const command of commands(new AbortController().signal)) program.addCommand(quiet(command));
  try {
    program.parse([...args], { from: 'user' });
    return true;
  } catch (error) {
    return (error as Error).message;
  }
}

async function expectAllParse(): Promise<readonly (readonly string[])[]> {
  const calls = (await recorded(log)).map(({ args }) => args);
  for (const args of calls) {
    expect(parses(args), args.join(' ')).toBe(true);
  }
  return calls;
}

test('the check of command lines finds a wrong one', () => {
  expect(parses(['release', '--recipe', 'a', '--json'])).toBe(true);
  expect(parses(['release', '--recipes', 'a'])).toMatch(/unknown option '--recipes'/);
  expect(parses(['no-such-command'])).toMatch(/unknown command/);
});

const report = (...rows: readonly (readonly [string, string, string])[]) =>
  JSON.stringify({
    folder: 'dist',
    releases: rows.map(([id, state, at]) => ({
      id,
      state,
      note: state === 'published' ? `https://example.org/${id}` : '',
      folder: at === '' ? null : at,
      release: { images: [] },
    })),
  });

test('release.sh publishes what stands, adds it to the catalog, renders the page, and ends as the builds did', async () => {
  const rows = report(
    ['k3s-1.36', 'built', 'dist/k3s-v1.36.3+k3s1'],
    ['k3s-1.35', 'published', 'dist/k3s-v1.35.7+k3s1'],
    ['k3s-1.34', 'failed', ''],
    ['k0s-stable', 'present', 'dist/k0s-v1.36.3+k0s.0'],
  );
  const published = JSON.stringify({
    repository: 'registry.example.org/k8s/a',
    tags: [{ tag: 'v1', what: 'index', form: 'raw' }],
  });
  const failing = recorder(log, { release: rows, publish: published }).concat(
    "if (args[0] === 'release') process.exitCode = 8;\n",
  );
  await programs(bin, { sextant: failing });
  const ended = await script('release.sh', work, {
    bin,
    env: {
      PUBLISH: 'oci://registry.example.org/k8s/{release}',
      CATALOG: 'pages/catalog',
      SITE: 'pages/hub',
      JOBS: '2',
      MEMORY: '8G',
      PUBLISHED: 'https://example.org/k8s',
      CATALOG_KEY_FILE: 'catalog.key',
      REPLACE: 'yes',
    },
  });
  expect(ended.code, ended.stderr).toBe(8);
  expect(
    (await expectAllParse()).map((args) => args.join(' ').replace(/\S+(?=\/published\.json)/, 'SCRATCH')),
  ).toEqual([
    'release --recipe sextant.yaml --output dist --json --published https://example.org/k8s --jobs 2 --memory 8G',
    'publish oci://registry.example.org/k8s/k3s-v1.36.3+k3s1 dist/k3s-v1.36.3+k3s1 --replace --json',
    'catalog add pages/catalog dist/k3s-v1.36.3+k3s1 --address oci://registry.example.org/k8s/a:v1 --published SCRATCH/published.json --key catalog.key --replace',
    'publish oci://registry.example.org/k8s/k0s-v1.36.3+k0s.0 dist/k0s-v1.36.3+k0s.0 --replace --json',
    'catalog add pages/catalog dist/k0s-v1.36.3+k0s.0 --address oci://registry.example.org/k8s/a:v1 --published SCRATCH/published.json --key catalog.key --replace',
    'catalog add pages/catalog https://example.org/k3s-1.35 --key catalog.key',
    'site pages/catalog --output pages/hub',
  ]);
});

test('release.sh stops where a release cannot be published: no catalog names what is not there', async () => {
  await programs(bin, {
    sextant: recorder(log, { release: report(['k3s-1.36', 'built', 'dist/a']) }).concat(
      "if (args[0] === 'publish') process.exit(6);\n",
    ),
  });
  const ended = await script('release.sh', work, {
    bin,
    env: { PUBLISH: 'oci://r.example.org/a', CATALOG: 'c', SITE: 's' },
  });
  expect(ended.code).toBe(6);
  expect((await recorded(log)).map(({ args }) => args[0])).toEqual(['release', 'publish']);
});

test('the signing key is in a file that only its user reads, while it is needed, and on no command line', async () => {
  const secret = '-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----';
  const seen = join(folder, 'seen');
  await programs(bin, {
    sextant: recorder(log, { release: report() }).concat(
      `require('node:fs').writeFileSync(${JSON.stringify(seen)}, JSON.stringify({
        mode: require('node:fs').statSync('release.key').mode & 0o777, key: readFileSync('release.key', 'utf8'), env: process.env.SIGNING_KEY }));\n`,
    ),
  });
  const env = { SIGNING_KEY: secret, SIGNING_KEY_FILE: 'release.key' };
  const ended = await script('release.sh', work, { bin, env });
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(await readFile(seen, 'utf8'))).toEqual({ mode: 0o600, key: `${secret}\n` });
  expect(await readdir(work)).toEqual([]);
  expect(JSON.stringify(await recorded(log)) + ended.stdout + ended.stderr).not.toContain('secret');
  // One that is in the checkout is refused.
  await writeFile(join(work, 'release.key'), 'in git');
  expect(await script('release.sh', work, { bin, env })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('a key in the checkout is no secret'),
  });
  expect(await readFile(join(work, 'release.key'), 'utf8')).toBe('in git');
});

test('pages.sh brings the branch, and replaces it by the folder as one commit', async () => {
  await programs(bin, {});
  await writeFile(join(work, 'sextant.yaml'), 'recipe');
  const remote = await repository(work, join(folder, 'remote.git'));
  const env = { SITE: 'pages' };
  const first = await script('pages.sh', work, { bin, env, args: ['fetch'] });
  expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('a new catalog begins') });
  for (const text of ['one', 'two']) {
    await mkdir(join(work, 'pages/catalog'), { recursive: true });
    await writeFile(join(work, 'pages/catalog/releases.json'), text);
    expect(await script('pages.sh', work, { bin, env, args: ['push'] })).toMatchObject({ code: 0 });
    await rm(join(work, 'pages'), { recursive: true });
    expect(await script('pages.sh', work, { bin, env, args: ['fetch'] })).toMatchObject({ code: 0 });
    expect(await readFile(join(work, 'pages/catalog/releases.json'), 'utf8')).toBe(text);
  }
  expect(git(remote, 'log', '--format=%s', 'gh-pages').split('\n')).toEqual(['Hub page']);
  expect(git(remote, 'ls-tree', '-r', '--name-only', 'gh-pages').split('\n')).toEqual([
    '.nojekyll',
    'catalog/releases.json',
  ]);
  expect(git(remote, 'log', '--format=%s', 'main')).toBe('begin');
  // A remote that does not answer is an error and leaves no folder that a push would take for the whole catalog.
  await rm(join(work, 'pages'), { recursive: true });
  const lost = await script('pages.sh', work, {
    bin,
    env: { ...env, REMOTE: join(folder, 'away.git') },
    args: ['fetch'],
  });
  expect(lost.code).not.toBe(0);
  expect(existsSync(join(work, 'pages'))).toBe(false);
  expect((await script('pages.sh', work, { bin, env, args: ['push'] })).code).toBe(1);
});

test('checkout.sh takes the commit that started the run, on its branch, with the login as a header', async () => {
  await programs(bin, {});
  await writeFile(join(work, 'sextant.yaml'), 'recipe');
  await repository(work, join(folder, 'server/owner/name'));
  const at = join(folder, 'checkout');
  await mkdir(at);
  const ended = await script('checkout.sh', at, {
    bin,
    env: {
      GITHUB_SERVER_URL: `file://${join(folder, 'server')}`,
      GITHUB_REPOSITORY: 'owner/name',
      GITHUB_SHA: git(work, 'rev-parse', 'HEAD'),
      GITHUB_REF_NAME: 'main',
      TOKEN: 'token-of-the-run',
    },
  });
  expect(ended.code, ended.stderr).toBe(0);
  expect(await readdir(at)).toEqual(expect.arrayContaining(['sextant.yaml']));
  expect(git(at, 'branch', '--show-current')).toBe('main');
  expect(await readFile(join(at, '.git/config'), 'utf8')).not.toContain('token-of-the-run');
  expect(git(at, 'config', '--get-regexp', 'extraheader')).toContain(
    Buffer.from('x-access-token:token-of-the-run').toString('base64'),
  );
});

test('setup.sh makes a launcher and puts it on the PATH of the steps that follow', async () => {
  await programs(bin, {});
  const path = join(folder, 'path');
  const ended = await script('setup.sh', work, {
    bin,
    env: { GITHUB_PATH: path, SEXTANT_CACHE: join(folder, 'cache') },
  });
  expect(ended.code, ended.stderr).toBe(0);
  const launcher = join((await readFile(path, 'utf8')).trim(), 'sextant');
  expect((await stat(launcher)).mode & 0o111).not.toBe(0);
});

test('attach.sh takes several releases: what each of them has gets its id, and nothing is lost', async () => {
  const names = ['k3s-1.36', 'k3s-1.35'];
  for (const name of names) {
    const at = join(work, name);
    await mkdir(at);
    for (const file of ['activation.yaml', 'provenance.intoto.json', 'release.json', 'SHA256SUMS'])
      await writeFile(join(at, file), `${file} of ${name}`);
    for (const file of [`${name}.raw`, `${name}.spdx.json`]) await writeFile(join(at, file), file);
  }
  await programs(bin, {
    sextant: recorder(log, {
      release: report(['k3s-1.36', 'built', 'k3s-1.36'], ['k3s-1.35', 'built', 'k3s-1.35']),
    }),
    gh: recorder(log),
  });
  const ended = await script('attach.sh', work, {
    bin,
    env: { TAG: 'v1', GITHUB_REPOSITORY: 'acme/k8s', GH_TOKEN: 'token' },
  });
  expect(ended.code, ended.stderr).toBe(0);
  const uploads = (await recorded(log)).filter(({ args }) => args[0] === 'release' && args[1] === 'upload');
  const files = uploads.map(({ args }) =>
    args.flatMap((arg) => (arg.startsWith('/') ? [arg.slice(arg.lastIndexOf('/') + 1)] : [])).sort(),
  );
  expect(files[0]).toEqual(['k3s-1.35.raw', 'k3s-1.36.raw']);
  expect(files[1]).toEqual(
    names
      .flatMap((name) => [
        ...['activation.yaml', 'provenance.intoto.json', 'release.json', 'SHA256SUMS'].map(
          (file) => `${name}-${file}`,
        ),
        `${name}.spdx.json`,
      ])
      .sort(),
  );
});
