import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the bundled command line as a person would and waits for its end. `wrap` is put in front (unshare, setpriv, env). */
export function sextant(
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly wrap?: readonly string[];
    readonly show?: boolean;
  } = {},
): Ended {
  const [command, ...rest] = [
    ...(options.wrap ?? []),
    process.execPath,
    resolve('build/sextant.js'),
    ...args,
  ];
  const { status, stdout, stderr } = spawnSync(command as string, rest, {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    // Long builds show their progress in the log of the tests.
    stdio: ['ignore', 'pipe', options.show ? 'inherit' : 'pipe'],
  });
  return { code: status, stdout, stderr: stderr ?? '' };
}
