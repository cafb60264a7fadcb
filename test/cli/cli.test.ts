import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/support/subprocess.ts';
import { sextant } from '../sextant.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const COMMANDS = [
  'init',
  'lock',
  'build',
  'release',
  'watch-upstream',
  'mirror',
  'quickstart',
  'activation',
  'inspect',
  'verify',
  'diff',
  'publish',
  'key',
  'catalog',
  'site',
  'cache',
  'doctor',
  'completion',
];
const CONTROL = /[^\P{Cc}\n\t]/u;

test('--help lists every command and the exit codes', () => {
  const { code, stdout, stderr } = sextant(['--help']);
  expect(code).toBe(0);
  expect(stderr).toBe('');
  for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  expect(stdout).toContain('Exit codes:');
});

test.each(COMMANDS)('%s --help has an example', (name) => {
  const { code, stdout } = sextant([name, '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`Examples?:\\n  sextant ${name}`));
});

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  expect(sextant(['--version']).stdout).toBe(`${version}\n`);
});

describe('usage errors end with exit code 2 and one line', () => {
  test.each([
    [['no-such-command'], "unknown command 'no-such-command'"],
    [['build', '--no-such-option'], "unknown option '--no-such-option'"],
    [['build', '--arch', 'riscv64'], 'Allowed choices are amd64, arm64'],
    [['inspect'], "missing required argument 'file'"],
  ])('sextant %j', (args, said) => {
    const { code, stdout, stderr } = sextant(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(CONTROL);
  });
});

describe('what a person gets wrong is one line, a hint and the documented exit code', () => {
  test.each([
    [
      'a recipe that is not there',
      ['build', '--recipe', 'none.yaml'],
      3,
      'none.yaml: there is no such recipe',
    ],
    ['a release that is not there', ['activation', 'nowhere'], 3, 'nowhere: there is no release here'],
    ['an image that is not there', ['inspect', 'none.raw'], 7, 'none.raw: no such file or folder'],
    ['a folder for an image', ['inspect', '.'], 3, '.: is a folder'],
    ['a folder that is no release', ['verify', '.'], 3, '.: there is no release here'],
    ['a lock for one file', ['verify', '--lock', 'l', 'a.raw'], 7, 'a.raw: no such file or folder'],
    ['a certificate that is not there', ['key', 'show'], 7, 'release.crt: no such file or folder'],
    ['a key of no size', ['key', 'create', '--days', 'many'], 2, 'a certificate for NaN days'],
  ])('%s', async (_name, args, exit, message) => {
    const { code, stdout, stderr } = sextant(args, { cwd: await temporaryFolder() });
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
    expect(stderr).toMatch(/^error: .+\nhint: .+\n$/);
    expect(stderr).toContain(message);
  });
});

test('a slow reader gets the whole output', async () => {
  const script = 'node build/sextant.js lock --recipe recipes/lab.yaml --json | (sleep 1; cat)';
  const { stdout } = await run('sh', ['-c', script], {
    env: { PATH: process.env.PATH ?? '', SEXTANT_CACHE: await temporaryFolder() },
  });
  expect(stdout.length).toBeGreaterThan(200_000); // More than a pipe takes at a time.
  expect(JSON.parse(stdout.toString())).toMatchObject({ written: false });
});

test('all problems of a recipe are printed with file and line', async () => {
  const there = await temporaryFolder();
  await writeFile(join(there, 'sextant.yaml'), 'colour: blue\ncomponents: []\n');
  const { code, stderr } = sextant(['build'], { cwd: there });
  expect(code).toBe(3);
  expect(stderr).toMatch(/^error: sextant.yaml: 3 problems in the recipe\n/);
  expect(stderr).toContain('  sextant.yaml:1: colour: unknown key\n');
  expect(stderr).toContain('  sextant.yaml:2: components: ');
  expect(await readdir(there)).toEqual(['sextant.yaml']);
});

test('init writes a recipe that is well formed and replaces none', async () => {
  const there = await temporaryFolder();
  expect(sextant(['init'], { cwd: there })).toMatchObject({ code: 0 });
  const written = await readFile(join(there, 'sextant.yaml'), 'utf8');
  expect(written).toContain('distribution:');
  expect(sextant(['init'], { cwd: there })).toMatchObject({ code: 3 });
  expect(await readFile(join(there, 'sextant.yaml'), 'utf8')).toBe(written);
  // Frozen, so that it stops after the recipe: there is no lock.
  const { code, stderr } = sextant(['build', '--frozen'], { cwd: there });
  expect(code).toBe(3);
  expect(stderr).toContain('there is none yet');
});

test.each(['bash', 'zsh', 'fish'])('completion for %s knows every command', (shell) => {
  const { code, stdout } = sextant(['completion', shell]);
  expect(code).toBe(0);
  for (const name of COMMANDS) expect(stdout).toContain(name);
});

test('the completion for bash completes commands and options', () => {
  const { stdout } = sextant(['completion', 'bash']);
  const ask = (words: readonly string[]) =>
    execFileSync(
      'bash',
      [
        '-c',
        `${stdout}\nCOMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _sextant; echo "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8', cwd: '/' },
    ).trim();
  expect(ask(['sextant', 'ins'])).toBe('inspect');
  expect(ask(['sextant', 'build', '--fro'])).toBe('--frozen');
  expect(ask(['sextant', 'completion', 'fi'])).toBe('fish');
  expect(ask(['sextant', 'catalog', 'ya'])).toBe('yank');
  expect(ask(['sextant', 'catalog', 'add', '--ke'])).toBe('--key');
});

test('doctor --json says what is there; piped output has no control characters', () => {
  const { stdout } = sextant(['doctor', '--json']);
  const { checks } = JSON.parse(stdout);
  expect(checks.find(({ name }: { name: string }) => name === 'node')).toMatchObject({
    state: 'ok',
    found: process.version,
  });
  expect(sextant(['doctor']).stdout).not.toMatch(CONTROL);
});

test('doctor names a missing program and the command that brings it, and ends with 5', () => {
  const { code, stdout } = sextant(['doctor'], { env: { PATH: '/nonexistent' } });
  expect(code).toBe(5);
  expect(stdout).toMatch(/^missing +xz +xz: program not found/m);
  expect(stdout).toContain('xz: apt-get install -y xz-utils');
});
