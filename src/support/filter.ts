import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SextantError } from './errors.ts';
import { shellText, toolEnvironment } from './subprocess.ts';

export interface FilterOptions {
  readonly signal?: AbortSignal | undefined;
  /** What to tell a person who lacks the program. */
  readonly missingHint?: string;
}

/**
 * What a program writes to stdout when `input` is fed to its stdin, as a stream: the counterpart of `run` for data that must not be
 * held in memory. Reading slowly slows the program down. The program is killed when the reader stops early or `signal` aborts.
 *
 * Throws `tool` when the program is missing or fails (with the end of its stderr), `interrupted` after an abort, and whatever
 * `input` throws.
 */
export async function* filter(
  command: string,
  args: readonly string[],
  input: AsyncIterable<Uint8Array>,
  options: FilterOptions = {},
): AsyncGenerator<Buffer> {
  const { signal } = options;
  signal?.throwIfAborted();
  const child = spawn(command, args, { env: toolEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => {
    stderr = (stderr + piece.toString('utf8')).slice(-4096);
  });
  let spawnError: NodeJS.ErrnoException | undefined;
  child.on('error', (error) => {
    spawnError = error;
  });
  const closed = new Promise<{ code: number | null; by: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, by) => resolve({ code, by }));
  });
  child.stdin.on('error', () => {}); // A program that stops reading says why by its exit code.
  let inputError: unknown;
  const feeding = (async () => {
    try {
      for await (const piece of input) {
        if (!child.stdin.writable) break;
        if (!child.stdin.write(piece)) await Promise.race([once(child.stdin, 'drain'), closed]);
      }
      child.stdin.end();
    } catch (error) {
      inputError = error;
      kill();
    }
  })();
  try {
    for await (const piece of child.stdout) yield piece as Buffer;
    const { code, by } = await closed;
    signal?.throwIfAborted();
    if (inputError !== undefined) throw inputError;
    if (spawnError !== undefined) {
      const missing = spawnError.code === 'ENOENT';
      throw new SextantError(
        'tool',
        missing ? `${command}: program not found` : `${command}: ${spawnError.message}`,
        {
          hint: options.missingHint ?? 'run `sextant doctor` to see what is missing and how to install it',
          cause: spawnError,
        },
      );
    }
    if (code !== 0) {
      throw new SextantError(
        'tool',
        `${command} ${code === null ? `was ended by ${by}` : `failed with exit code ${code}`}`,
        { details: `command: ${shellText(command, args)}${stderr === '' ? '' : `\n${stderr.trimEnd()}`}` },
      );
    }
  } finally {
    signal?.removeEventListener('abort', kill);
    kill();
    await closed;
    await feeding.catch(() => {});
  }
}
