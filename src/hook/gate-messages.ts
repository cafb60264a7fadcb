import type { ForeignMode } from './foreign.ts';
import type { BuildEvent, EncodedEvent } from './protocol.ts';

/** What the gate is told, in a file; paths relative to the sandbox's folder on the host. */
export interface GateOrders {
  /** Unix socket of the recording proxy. */
  readonly proxy: string;
  /** Port of 127.0.0.1 in the sandbox that leads there. */
  readonly port: number;
  /** Path of the plug-in in the sandbox. */
  readonly plugin: string;
  readonly events: readonly EncodedEvent[];
  readonly environment: Readonly<Record<string, string>>;
  readonly path: string;
  /** Set where the plug-in is of a foreign architecture. */
  readonly foreign?: {
    readonly architecture: 'amd64' | 'arm64';
    /** What to use when the private rule could not be made. */
    readonly otherwise: Exclude<ForeignMode, 'private'>;
    /** Emulator, in the sandbox. */
    readonly emulator: string;
  };
}

/** What the gate says, one JSON text per line of its stdout. Output is base64, because a hook may print any bytes. */
export type GateMessage =
  | { readonly kind: 'started'; readonly foreign?: ForeignMode }
  | { readonly kind: 'event'; readonly name: BuildEvent; readonly sent: string }
  | { readonly kind: 'output'; readonly name: BuildEvent; readonly data: string }
  | { readonly kind: 'answer'; readonly name: BuildEvent; readonly code: number; readonly data: string }
  | { readonly kind: 'killed'; readonly name: BuildEvent; readonly reason: string }
  | { readonly kind: 'wrapped'; readonly path: string }
  | { readonly kind: 'finished'; readonly removed: readonly string[] };

/** Cuts a stream of lines into messages; `take` gets each one as it is complete. */
export function messageReader(take: (message: GateMessage) => void): (piece: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      take(JSON.parse(rest.toString('utf8', 0, end)) as GateMessage);
      rest = rest.subarray(end + 1);
    }
  };
}
