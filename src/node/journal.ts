import { type Host, HostError } from './host/host.ts';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** syslog(3) levels. */
export const PRIORITY = { error: 3, warning: 4, notice: 5, info: 6 } as const;

/**
 * Something that happened, for people and for machines: `id` is a MESSAGE_ID that never changes its meaning
 * (`journalctl MESSAGE_ID=...`), `fields` are shown as SEXTANT_NAME.
 */
export interface JournalEvent {
  /** 32 lower-case hexadecimal digits (sd-id128(3)). */
  readonly id: string;
  readonly level: keyof typeof PRIORITY;
  readonly message: string;
  /** Names of capital letters, digits and underscores. */
  readonly fields?: Readonly<Record<string, string | number>>;
}

/**
 * Writes to the journal; to standard error where no journal listens, which a stage's output takes to the console. An event that cannot
 * be told is never a reason to fail: it is lost.
 */
export function logEvent(host: Host, event: JournalEvent, socket = JOURNAL_SOCKET): void {
  try {
    host.sendDatagram(socket, journalDatagram(host, event));
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    host.err(`sextant-node: ${event.message}\n`);
  }
}

/**
 * One entry as journald takes it: NAME=VALUE lines; a value of several lines as NAME, a newline, its length as 64 bits little endian and
 * the bytes. https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
 */
export function journalDatagram(host: Host, event: JournalEvent): Uint8Array {
  const fields: [string, string][] = [
    ['MESSAGE', event.message],
    ['MESSAGE_ID', event.id],
    ['PRIORITY', String(PRIORITY[event.level])],
    ['SYSLOG_IDENTIFIER', 'sextant-node'],
    ...Object.entries(event.fields ?? {}).map(([name, value]): [string, string] => [
      `SEXTANT_${name}`,
      String(value),
    ]),
  ];
  return joined(fields.flatMap(([name, value]) => field(host, name, value)));
}

function field(host: Host, name: string, value: string): Uint8Array[] {
  if (!/^[A-Z0-9_]+$/.test(name)) throw new Error(`${name} is no name of a journal field`);
  if (!value.includes('\n')) return [host.encode(`${name}=${value}\n`)];
  const bytes = host.encode(value);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setUint32(0, bytes.length, true);
  return [host.encode(`${name}\n`), length, bytes, host.encode('\n')];
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
