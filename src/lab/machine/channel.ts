import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { StringDecoder } from 'node:string_decoder';
import { SextantError } from '../../support/errors.ts';
import { CHANNEL_NAME } from './channel-guest.ts';

export interface GuestResult {
  readonly code: number;
  /** stdout and stderr in the order written. */
  readonly output: string;
}

/** One boot of the guest, as its channel announced it. */
export interface Boot {
  readonly bootId: string;
  /** Seconds since the guest's kernel started, when it greeted. */
  readonly uptime: number;
  /** The same moment on the host's monotonic clock, milliseconds. */
  readonly heardAt: number;
}

export interface Channel {
  /** Resolves when the guest's side is there. Says which boot it is. */
  greeting(): Promise<Boot>;
  /** Resolves with the boot that comes after `bootId`. */
  bootAfter(bootId: string): Promise<Boot>;
  /** Runs a POSIX shell script as root in the guest. Rejects with `tool` when the guest restarts or ends before it answers. */
  run(script: string, onOutput?: (text: string) => void): Promise<GuestResult>;
  close(): void;
}

interface Asked {
  readonly resolve: (result: GuestResult) => void;
  readonly reject: (error: Error) => void;
  readonly onOutput: ((text: string) => void) | undefined;
  readonly pieces: string[];
  readonly decoder: StringDecoder;
}

/**
 * The host's end of the channel into a guest: a virtio serial port (no network, no login), one line for each message. To the guest
 * "ID BASE64-SCRIPT" or "0", which asks for a greeting, from it "hello BOOT-ID UPTIME", "out ID BASE64", "done ID CODE".
 */
export function openChannel(path: string): Channel {
  const asked = new Map<number, Asked>();
  let boot: Boot | undefined;
  let ended = false;
  const greeted: (() => void)[] = [];
  let next = 1;
  const socket = connect(path);
  socket.on('error', () => {});
  socket.write('0\n');
  const abandon = (why: string) => {
    for (const { reject } of asked.values()) reject(new SextantError('tool', why));
    asked.clear();
  };
  socket.on('close', () => {
    ended = true;
    abandon('the guest ended before it answered');
    for (const tell of greeted.splice(0)) tell();
  });
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // The socket's errors again; its `close` follows.
  lines.on('line', (line) => {
    const [kind, first = '', second = ''] = line.split(' ');
    if (kind === 'hello') {
      if (boot !== undefined && boot.bootId !== first) abandon('the guest restarted before it answered');
      boot = { bootId: first, uptime: Number(second), heardAt: performance.now() };
      for (const tell of greeted.splice(0)) tell();
      return;
    }
    const id = Number(first);
    const entry = asked.get(id);
    if (entry === undefined) return;
    if (kind === 'out') {
      const text = entry.decoder.write(Buffer.from(second, 'base64'));
      entry.pieces.push(text);
      entry.onOutput?.(text);
    } else if (kind === 'done') {
      asked.delete(id);
      entry.resolve({ code: Number(second), output: entry.pieces.join('') });
    }
  });
  const until = async (fits: () => boolean) => {
    while (!fits()) {
      if (ended)
        throw new SextantError('tool', `the guest ended before its channel (${CHANNEL_NAME}) answered`);
      await new Promise<void>((resolve) => greeted.push(resolve));
    }
    return boot as Boot;
  };
  return {
    greeting: () => until(() => boot !== undefined),
    bootAfter: (bootId) => until(() => boot !== undefined && boot.bootId !== bootId),
    run: (script, onOutput) =>
      new Promise<GuestResult>((resolve, reject) => {
        if (ended) {
          reject(new SextantError('tool', 'the guest has ended'));
          return;
        }
        const id = next++;
        asked.set(id, { resolve, reject, onOutput, pieces: [], decoder: new StringDecoder('utf8') });
        socket.write(`${id} ${Buffer.from(script).toString('base64')}\n`);
      }),
    close: () => socket.destroy(),
  };
}
