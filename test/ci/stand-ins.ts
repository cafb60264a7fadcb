import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import type { Ended } from '../sextant.ts';

/** A folder of programs that come before all others in a script's PATH. */
export async function programs(folder: string, scripts: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

/** The real command line of this checkout. */
export const REAL_SEXTANT = `#!/bin/sh\nexec "${process.execPath}" "${resolve('build/sextant.js')}" "$@"\n`;

/** A program that writes its arguments (and what the file of --body-file holds) to LOG as a line of JSON, and prints what ANSWERS has for them. */
export const recorder = (
  log: string,
  answers: Readonly<Record<string, string>> = {},
) => `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const at = args.indexOf('--body-file');
const body = at === -1 ? undefined : readFileSync(args[at + 1], 'utf8');
appendFileSync(${JSON.stringify(log)}, JSON.stringify({ args, body }) + '\\n');
const answers = ${JSON.stringify(answers)};
for (const [start, text] of Object.entries(answers)) if (args.join(' ').startsWith(start)) process.stdout.write(text);
`;

export interface Recorded {
  readonly args: readonly string[];
  readonly body?: string;
}

export async function recorded(log: string): Promise<readonly Recorded[]> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Recorded);
}

/** Runs one of the scripts of actions/ as a CI machine does. */
export function script(
  name: string,
  at: string,
  options: {
    readonly bin: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly args?: readonly string[];
  },
): Promise<Ended> {
  return new Promise((done, failed) => {
    const child = spawn(resolve('actions', name), [...(options.args ?? [])], {
      cwd: at,
      env: {
        ...quietGit,
        HOME: at,
        LANG: 'C.UTF-8',
        TMPDIR: at,
        PATH: [options.bin, process.env.PATH].join(delimiter),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (piece: string) => {
        said[stream] += piece;
      });
    }
    child.on('error', failed);
    child.on('close', (code) => done({ code, ...said }));
  });
}

// Nobody's settings, and no question.
const quietGit = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', GIT_TERMINAL_PROMPT: '0' };

export function git(at: string, ...args: readonly string[]): string {
  const own = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', [...own, ...args], {
    cwd: at,
    encoding: 'utf8',
    env: { ...process.env, ...quietGit },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** A repository with everything in `at` committed on main, and a bare one it pushes to: its address is given. */
export async function repository(at: string, remote: string): Promise<string> {
  git(at, 'init', '--quiet', '--initial-branch', 'main');
  git(at, 'add', '--all');
  git(at, 'commit', '--quiet', '-m', 'begin');
  await mkdir(remote, { recursive: true });
  git(remote, 'init', '--quiet', '--bare', '--initial-branch', 'main');
  git(remote, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
  git(at, 'remote', 'add', 'origin', remote);
  git(at, 'push', '--quiet', 'origin', 'main');
  return remote;
}
