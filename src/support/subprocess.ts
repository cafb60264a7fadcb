import { spawn } from 'node:child_process';
import { atExit } from './at-exit.ts';
import { SextantError } from './errors.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment of the child; the default is PATH, HOME and a C locale only, so that results do not depend on the caller's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Default 600 s; the child and what it started are killed when it ends. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
  /** Called with each piece of stdout and stderr as it comes. */
  readonly onOutput?: (piece: Buffer, stream: 'stdout' | 'stderr') => void;
  /** Exit codes that are not an error; default [0]. */
  readonly okCodes?: readonly number[];
  /** What to tell a person who lacks the program. */
  readonly missingHint?: string;
  /** Keep at most this many bytes of each stream (the last ones); default 64 MiB. */
  readonly keepBytes?: number;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** A small fixed environment for tools: results must not depend on the caller's locale, time zone or settings. */
export function toolEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env.HOME ?? '/',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    ...extra,
  };
  return environment;
}

/** The command as a person can paste it into a shell. */
export function shellText(command: string, args: readonly string[]): string {
  const quoted = (word: string) =>
    /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return [command, ...args].map(quoted).join(' ');
}

/**
 * Runs one program in a process group of its own and returns its output. Throws `tool` when it is missing, ends by a signal, takes
 * too long or ends with an exit code outside `okCodes`; the message tells these apart and details hold the command and the end of its stderr.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const {
    timeoutSeconds = 600,
    okCodes = [0],
    signal,
    keepBytes = 64 * 1024 * 1024,
    env = toolEnvironment(),
  } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(interrupted(signal));
      return;
    }
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const streams = { stdout: tail(keepBytes), stderr: tail(keepBytes) };
    let ended: 'timeout' | 'abort' | undefined;
    const kill = (why: 'timeout' | 'abort') => {
      ended ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Already gone.
      }
    };
    const timer = setTimeout(() => kill('timeout'), timeoutSeconds * 1000);
    const onAbort = () => kill('abort');
    const outlived = atExit(onAbort); // It is in a process group of its own and would go on.
    signal?.addEventListener('abort', onAbort, { once: true });
    const cleanUp = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      outlived();
    };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (piece: Buffer) => {
        streams[name].add(piece);
        options.onOutput?.(piece, name);
      });
    }
    child.stdin.on('error', () => {}); // A child that does not read its input is not our failure.
    child.stdin.end(options.input);
    child.on('error', (error: NodeJS.ErrnoException) => {
      cleanUp();
      const missing = error.code === 'ENOENT';
      reject(
        new SextantError('tool', missing ? `${command}: program not found` : `${command}: ${error.message}`, {
          hint: options.missingHint ?? 'run `sextant doctor` to see what is missing and how to install it',
          cause: error,
        }),
      );
    });
    child.on('close', (code, signalName) => {
      cleanUp();
      const stdout = streams.stdout.all();
      const stderr = streams.stderr.all();
      if (code !== null && okCodes.includes(code) && ended === undefined) {
        resolve({ code, stdout, stderr });
        return;
      }
      if (ended === 'abort') {
        reject(interrupted(signal));
        return;
      }
      const how =
        ended === 'timeout'
          ? `took longer than ${timeoutSeconds} s and was ended`
          : code === null
            ? `was ended by ${signalName}`
            : `failed with exit code ${code}`;
      const said = (stderr.length > 0 ? stderr : stdout)
        .toString('utf8')
        .trimEnd()
        .split('\n')
        .slice(-20)
        .join('\n');
      reject(
        new SextantError('tool', `${command} ${how}`, {
          details: `command: ${shellText(command, args)}${said === '' ? '' : `\n${said}`}`,
        }),
      );
    });
  });
}

function interrupted(signal: AbortSignal | undefined): SextantError {
  if (signal?.reason instanceof SextantError) return signal.reason;
  return new SextantError('interrupted', 'interrupted', { hint: 'run the same command again' });
}

function tail(limit: number) {
  let pieces: Buffer[] = [];
  let size = 0;
  return {
    add(piece: Buffer) {
      pieces.push(piece);
      size += piece.length;
      while (size > limit && pieces.length > 1) size -= pieces.shift()?.length ?? 0;
    },
    all(): Buffer {
      const whole = Buffer.concat(pieces);
      pieces = [whole];
      return whole;
    },
  };
}
