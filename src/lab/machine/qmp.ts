import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { SextantError } from '../../support/errors.ts';

/** QEMU Machine Protocol: JSON lines over a socket (docs/interop/qmp-spec of QEMU). */
export interface Qmp {
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Called with the name of each event: RESET, SHUTDOWN, WATCHDOG, ... */
  onEvent(listener: (name: string, data: unknown) => void): void;
  close(): void;
}

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: unknown;
}

/** Connects to a machine's socket. Commands asked for after the machine has ended are `tool` errors. */
export async function connectQmp(path: string): Promise<Qmp> {
  const socket: Socket = connect(path);
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const listeners: ((name: string, data: unknown) => void)[] = [];
  let next = 1;
  const gone = () => new SextantError('tool', 'the machine has ended');
  socket.on('error', () => {}); // `close` follows.
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(gone());
    waiting.clear();
  });
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // The socket's errors again.
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    if (answer.event !== undefined) {
      for (const listener of listeners) listener(answer.event, answer.data);
      return;
    }
    const asked = answer.id === undefined ? undefined : waiting.get(answer.id);
    if (asked === undefined || answer.id === undefined) return;
    waiting.delete(answer.id);
    if (answer.error) asked.reject(new SextantError('tool', `QEMU: ${answer.error.desc}`));
    else asked.resolve(answer.return);
  });
  await Promise.race([once(socket, 'connect'), once(socket, 'close').then(() => Promise.reject(gone()))]);
  const execute = (command: string, args: Readonly<Record<string, unknown>> = {}) =>
    new Promise<unknown>((resolve, reject) => {
      if (socket.destroyed) {
        reject(gone());
        return;
      }
      const id = next++;
      waiting.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  await execute('qmp_capabilities');
  return {
    execute,
    onEvent: (listener) => void listeners.push(listener),
    close: () => socket.destroy(),
  };
}
