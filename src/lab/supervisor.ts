import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { type ErrorCode, SextantError, toSextantError } from '../support/errors.ts';
import type { LabNode } from './node.ts';

// Between the process that holds a lab's machines and the commands that ask it: one request a connection, JSON lines.
const requestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('run'), node: z.string(), script: z.string() }),
  z.object({ kind: z.literal('watch'), node: z.string(), extensionName: z.string(), api: z.boolean() }),
  z.object({ kind: z.literal('shot'), node: z.string(), file: z.string() }),
  z.object({ kind: z.literal('down') }),
]);
export type ControlRequest = z.infer<typeof requestSchema>;

type Answer =
  | { readonly output: string }
  | { readonly step: string; readonly seconds: number }
  | { readonly done: { readonly code: number } }
  | {
      readonly error: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly details?: string;
        readonly hint?: string;
      };
    };

/** Answers requests on a socket until it is closed. `down` is called for a request to end the lab. */
export async function serveControl(
  path: string,
  nodes: readonly LabNode[],
  down: () => Promise<void>,
): Promise<() => void> {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // Whoever asked has gone.
    const lines = createInterface({ input: socket });
    lines.on('error', () => {});
    lines.once('line', (line) => {
      void handle(line, nodes, down, (answer) => socket.write(`${JSON.stringify(answer)}\n`)).finally(() =>
        socket.end(),
      );
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return () => server.close();
}

async function handle(
  line: string,
  nodes: readonly LabNode[],
  down: () => Promise<void>,
  answer: (answer: Answer) => void,
): Promise<void> {
  try {
    const request = requestSchema.parse(JSON.parse(line));
    if (request.kind === 'down') {
      await down();
      answer({ done: { code: 0 } });
      return;
    }
    const node = nodes.find(({ name }) => name === request.node);
    if (node === undefined) throw new SextantError('usage', `no node ${request.node}`);
    if (request.kind === 'run') {
      const { code } = await node.try(request.script, (output) => answer({ output }));
      answer({ done: { code } });
    } else if (request.kind === 'watch') {
      const { extensionName, api } = request;
      await node.watch({ extensionName, api, onStep: (step, seconds) => answer({ step, seconds }) });
      answer({ done: { code: 0 } });
    } else {
      await node.machine.qmp.execute('screendump', { filename: request.file, format: 'png' });
      answer({ done: { code: 0 } });
    }
  } catch (thrown) {
    const { code, message, details, hint } = toSextantError(thrown);
    answer({
      error: {
        code,
        message,
        ...(details === undefined ? {} : { details }),
        ...(hint === undefined ? {} : { hint }),
      },
    });
  }
}

/** Asks a lab; gives the exit code. Errors there are errors here. */
export async function askLab(
  control: string,
  request: ControlRequest,
  signal: AbortSignal,
  heard: { onOutput?: (text: string) => void; onStep?: (step: string, seconds: number) => void } = {},
): Promise<number> {
  const socket: Socket = connect(control);
  const stop = () => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    // Not `for await`: the iterator of a destroyed socket never ends.
    return await new Promise<number>((resolve, reject) => {
      const lines = createInterface({ input: socket });
      lines.on('error', reject);
      lines.on('line', (line) => {
        const answer = JSON.parse(line) as Answer;
        if ('output' in answer) heard.onOutput?.(answer.output);
        else if ('step' in answer) heard.onStep?.(answer.step, answer.seconds);
        else if ('error' in answer) {
          const { code, message, ...rest } = answer.error;
          reject(new SextantError(code, message, rest));
        } else resolve(answer.done.code);
      });
      socket.on('error', reject);
      socket.on('close', () =>
        reject(
          new SextantError('tool', 'the lab ended before it answered', { hint: 'see `sextant lab list`' }),
        ),
      );
      socket.write(`${JSON.stringify(request)}\n`);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}
