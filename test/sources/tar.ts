/** An entry of a tar made by hand, hostile ones included. */
export interface RawEntry {
  readonly name: string;
  readonly type?: string;
  readonly data?: Buffer | string;
  readonly target?: string;
  readonly mode?: number;
  /** Size in the header, where it lies. */
  readonly size?: number;
}

const BLOCK = 512;

/** One header block (POSIX.1-1988 ustar) with a right checksum. */
export function header(entry: RawEntry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const size = entry.size ?? Buffer.byteLength(entry.data ?? '');
  block.write(entry.name, 0, 100);
  block.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write(entry.target ?? '', 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  return checksummed(block);
}

export function checksummed(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function padded(data: Buffer | string): Buffer {
  const bytes = Buffer.from(data);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))]);
}

/** A whole archive with its end marker. */
export function tarOf(...entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap((entry) => [header(entry), padded(entry.data ?? '')]),
    Buffer.alloc(2 * BLOCK),
  ]);
}

export function paxOf(records: Readonly<Record<string, string>>): RawEntry {
  const data = Object.entries(records)
    .map(([key, value]) => {
      const record = ` ${key}=${value}\n`;
      let length = Buffer.byteLength(record);
      while (String(length).length + Buffer.byteLength(record) !== length) {
        length = String(length).length + Buffer.byteLength(record);
      }
      return `${length}${record}`;
    })
    .join('');
  return { name: 'pax', type: 'x', data };
}

/** The bytes in pieces of one size, as a network gives them. */
export async function* inPieces(data: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
