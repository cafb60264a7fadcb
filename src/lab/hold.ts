import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Context } from '../support/context.ts';
import { SextantError, toSextantError } from '../support/errors.ts';
import { startLab, type UpRequest } from './up.ts';

type Message =
  | { readonly say: string }
  | { readonly up: true }
  | {
      readonly error: {
        readonly code: SextantError['code'];
        readonly message: string;
        readonly hint?: string;
        readonly details?: string;
      };
    };

/**
 * Starts a lab in a process of its own, which outlives this one, and resolves when its machines run. `program` and `args` start this
 * program's hidden command that calls `holdLab`. Its errors are errors here.
 */
export async function startHolder(
  program: string,
  args: readonly string[],
  request: UpRequest,
  { progress, signal }: Context,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const stop = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      // An error is passed on only when the process has ended: by then it has cleared up.
      let failure: unknown;
      child.on('message', (message: Message) => {
        if ('say' in message) progress.say(message.say);
        else if ('up' in message) resolve();
        else {
          const { code, message: said, ...rest } = message.error;
          failure = new SextantError(code, said, rest);
        }
      });
      child.once('error', reject);
      child.once('exit', () => {
        if (signal.aborted) failure = signal.reason;
        reject(failure ?? new SextantError('tool', 'the process that holds the lab ended at once'));
      });
      child.send(request);
    });
  } finally {
    signal.removeEventListener('abort', stop);
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** The holding process: takes the request from its parent, starts the lab, and ends when its machines have ended or it is told to. */
export async function holdLab(context: Context): Promise<void> {
  if (process.send === undefined) {
    throw new SextantError('usage', 'this command is for `sextant lab up` to call', {
      hint: 'run: sextant lab up',
    });
  }
  const tell = (message: Message) => {
    if (process.connected) process.send?.(message);
  };
  const [request] = (await once(process, 'message')) as [UpRequest];
  const progress = { ...context.progress, say: (line: string) => tell({ say: line }) };
  try {
    const lab = await startLab(request, { ...context, progress });
    tell({ up: true });
    const aborted = new Promise((resolve) => {
      context.signal.addEventListener('abort', resolve, { once: true });
      if (context.signal.aborted) resolve(undefined);
    });
    await Promise.race([lab.ended, aborted]);
    await lab.down();
  } catch (thrown) {
    const { code, message, hint, details } = toSextantError(thrown);
    tell({
      error: {
        code,
        message,
        ...(hint === undefined ? {} : { hint }),
        ...(details === undefined ? {} : { details }),
      },
    });
    if (process.connected) process.disconnect();
  }
}
