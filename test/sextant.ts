import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Put in front (unshare, setpriv, env). */
  readonly wrap?: readonly string[];
}

function commandLine(args: readonly string[], options: RunOptions): [string, string[], SpawnOptions] {
  const [command = '', ...rest] = [
    ...(options.wrap ?? []),
    process.execPath,
    resolve('build/sextant.js'),
    ...args,
  ];
  return [
    command,
    rest,
    {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, NO_COLOR: '1', ...options.env },
    },
  ];
}

/** Runs the bundled command line as a person would and waits for its end. */
export function sextant(
  args: readonly string[],
  options: RunOptions & { readonly show?: boolean } = {},
): Ended {
  const [command, rest, how] = commandLine(args, options);
  const { status, stdout, stderr } = spawnSync(command, rest, {
    ...how,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    // Long builds show their progress in the log of the tests.
    stdio: ['ignore', 'pipe', options.show ? 'inherit' : 'pipe'],
  });
  return { code: status, stdout, stderr: stderr ?? '' };
}

/** NODE_OPTIONS under which a program sees a clock that is some days ahead. */
export function clockAhead(days: number): string {
  const clock = `const Now = Date; globalThis.Date = class extends Now {
    constructor(...given) { given.length > 0 ? super(...given) : super(Now.now() + ${days} * 86_400_000); }
    static now() { return Now.now() + ${days} * 86_400_000; }
  };`;
  return `--import=data:text/javascript,${encodeURIComponent(clock)}`;
}

export interface Running {
  readonly ended: Promise<Ended>;
  /** Resolves when this was written to stderr; rejects when it ends without. */
  said(pattern: RegExp): Promise<void>;
  /** Ctrl-C in a terminal: the signal goes to every process of the foreground group. */
  interrupt(): void;
}

/** Starts the command line in a process group of its own, as a shell does, beside servers of the test. */
export function startSextant(args: readonly string[], options: RunOptions = {}): Running {
  const [command, rest, how] = commandLine(args, options);
  const child = spawn(command, rest, { ...how, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (piece: string) => {
      said[name] += piece;
    });
  }
  return {
    ended: new Promise((done, failed) => {
      child.on('error', failed);
      child.on('close', (code) => done({ code, ...said }));
    }),
    said: (pattern) =>
      new Promise((found, failed) => {
        const look = () => {
          if (pattern.test(said.stderr)) found();
        };
        child.stderr?.on('data', look);
        child.once('close', () => failed(new Error(`it ended without saying ${pattern}: ${said.stderr}`)));
        look();
      }),
    interrupt() {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
      } catch {
        // It has ended by itself.
      }
    },
  };
}
