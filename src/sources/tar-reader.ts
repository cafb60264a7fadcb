import { SextantError } from '../support/errors.ts';

// The reader is our own because every entry must be either understood or refused: libraries take unknown types (GNU sparse files)
// for plain files, skip devices silently and replace bytes of names that are not UTF-8.

/** One entry of a tar archive, its path and target as the archive spells them. */
export interface TarEntry {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'hard link' | 'device' | 'pipe';
  /** Permission bits with set-uid, set-gid and sticky, e.g. 0o755. */
  readonly mode: number;
  /** Bytes of the body that follows; 0 for everything but files. */
  readonly size: number;
  /** Target of a link, path of the first name of a hard link. */
  readonly target: string;
  /** The file's bytes. What is not read is skipped when the next entry is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
/** Longest name or extended header that is taken, against archives that would fill the memory. */
const META_LIMIT = 1024 * 1024;

// Offsets and lengths in a header block: POSIX.1-1988 ustar, pax(1) "ustar Interchange Format".
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  size: [124, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 6],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [number, number]>;

const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'link',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'pipe',
};

const malformed = (what: string) =>
  new SextantError('input', `malformed tar archive: ${what}`, {
    hint: 'download or pack the archive again',
  });

/**
 * The entries of an uncompressed tar archive (ustar, pax, GNU long names), streamed: memory does not grow with the archive. The
 * stream is read to its end, so that what decompresses it can check its own trailer. Throws `input` for anything malformed,
 * truncated or not understood (sparse files, names that are not UTF-8).
 */
export async function* readTar(stream: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = byteReader(stream);
  let extended: Extended = {};
  try {
    for (;;) {
      const block = await bytes.exactly(BLOCK);
      if (block.every((byte) => byte === 0)) break;
      const header = parseHeader(block);
      if ('xgLK'.includes(header.type)) {
        const data = await bytes.meta(header.size);
        if (header.type === 'L') extended.path = cString(data);
        else if (header.type === 'K') extended.target = cString(data);
        else if (header.type === 'x') extended = { ...extended, ...parsePax(data) };
        else if (Object.keys(parsePax(data)).length > 0) {
          throw malformed('a global header that sets a path or size');
        }
        continue;
      }
      const path = extended.path ?? header.path;
      let kind = KINDS[header.type];
      if (kind === undefined) throw malformed(`${path} has the unknown entry type "${header.type}"`);
      if (kind === 'file' && path.endsWith('/')) kind = 'folder'; // Before POSIX.1-1988 folders had no type.
      const stored = extended.size ?? header.size;
      const size = kind === 'file' || kind === 'folder' ? stored : 0;
      const target = extended.target ?? header.target;
      extended = {};
      const body = bytes.body(size);
      yield { path, kind, mode: header.mode, size: kind === 'file' ? size : 0, target, body };
      for await (const _ of body);
      await bytes.exactly(-size & (BLOCK - 1));
    }
    await bytes.drain();
  } finally {
    await bytes.close();
  }
}

interface Extended {
  path?: string;
  target?: string;
  size?: number;
}

function field(block: Uint8Array, [offset, length]: readonly [number, number]): Uint8Array {
  return block.subarray(offset, offset + length);
}

function cString(data: Uint8Array): string {
  const end = data.indexOf(0);
  return utf8(end === -1 ? data : data.subarray(0, end));
}

function utf8(data: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw malformed('a name that is not UTF-8');
  }
}

function number(data: Uint8Array, what: string): number {
  if ((data[0] ?? 0) & 0x80) {
    // GNU base-256: sizes of 8 GiB and more.
    let value = (data[0] ?? 0) & 0x7f;
    for (const byte of data.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw malformed(`${what} is too large`);
    return value;
  }
  const text = Buffer.from(data).toString('latin1').replaceAll('\0', ' ').trim();
  if (text !== '' && !/^[0-7]+$/.test(text)) throw malformed(`${what} is not a number`);
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function parseHeader(block: Uint8Array) {
  let sum = 8 * 0x20; // The checksum counts its own field as spaces.
  for (let i = 0; i < BLOCK; i += 1) {
    if (i < FIELD.checksum[0] || i >= FIELD.checksum[0] + FIELD.checksum[1]) sum += block[i] ?? 0;
  }
  if (sum !== number(field(block, FIELD.checksum), 'a header checksum'))
    throw malformed('a header checksum is wrong');
  const name = cString(field(block, FIELD.name));
  // GNU's own format ("ustar  ") keeps times where POSIX keeps the prefix.
  const isPosix = Buffer.from(field(block, FIELD.magic)).toString('latin1') === 'ustar\0';
  const prefix = isPosix ? cString(field(block, FIELD.prefix)) : '';
  const path = prefix === '' ? name : `${prefix}/${name}`;
  return {
    path,
    target: cString(field(block, FIELD.linkname)),
    mode: number(field(block, FIELD.mode), `the mode of ${path}`) & 0o7777,
    size: number(field(block, FIELD.size), `the size of ${path}`),
    type: String.fromCharCode(block[FIELD.type[0]] ?? 0),
  };
}

/** Records "LENGTH KEY=VALUE\n" (pax(1), "pax Extended Header"); only what decides where bytes go is kept. */
function parsePax(data: Uint8Array): Extended {
  const found: Extended = {};
  let offset = 0;
  while (offset < data.length) {
    const space = data.indexOf(0x20, offset);
    const digits = space === -1 ? '' : Buffer.from(data.subarray(offset, space)).toString('latin1');
    const end = offset + Number(digits);
    if (!/^[0-9]{1,7}$/.test(digits) || end > data.length || end <= space + 1 || data[end - 1] !== 0x0a) {
      throw malformed('an extended header record');
    }
    const record = data.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals < 1) throw malformed('an extended header record without "="');
    const key = utf8(record.subarray(0, equals));
    const value = record.subarray(equals + 1);
    if (key.startsWith('GNU.sparse.'))
      throw malformed('sparse files are not supported; pack without --sparse');
    if (key === 'path') found.path = utf8(value);
    else if (key === 'linkpath') found.target = utf8(value);
    else if (key === 'size') {
      const size = Number(utf8(value));
      if (!Number.isSafeInteger(size) || size < 0) throw malformed('an extended header size');
      found.size = size;
    }
    offset = end;
  }
  return found;
}

/** Pulls exact amounts from a stream of pieces of any size. */
function byteReader(stream: AsyncIterable<Uint8Array>) {
  const source = stream[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  const next = async (): Promise<boolean> => {
    while (piece.length === 0) {
      const { done, value } = await source.next();
      if (done) return false;
      piece = value;
    }
    return true;
  };
  const take = async (most: number): Promise<Uint8Array> => {
    if (!(await next())) throw malformed('it is truncated');
    const taken = piece.subarray(0, most);
    piece = piece.subarray(taken.length);
    return taken;
  };
  const exactly = async (length: number): Promise<Uint8Array> => {
    if (length === 0) return new Uint8Array(0);
    const first = await take(length);
    if (first.length === length) return first;
    const whole = new Uint8Array(length);
    whole.set(first);
    for (let filled = first.length; filled < length; ) {
      const more = await take(length - filled);
      whole.set(more, filled);
      filled += more.length;
    }
    return whole;
  };
  return {
    exactly,
    async meta(size: number): Promise<Uint8Array> {
      if (size > META_LIMIT) throw malformed('a name is longer than 1 MiB');
      const data = await exactly(size);
      await exactly(-size & (BLOCK - 1));
      return data;
    },
    /** One pass over the next `size` bytes; iterating again goes on where the first stopped. */
    body(size: number): AsyncIterable<Uint8Array> {
      let left = size;
      const iterator: AsyncIterator<Uint8Array> = {
        async next() {
          if (left === 0) return { done: true, value: undefined };
          const value = await take(left);
          left -= value.length;
          return { done: false, value };
        },
      };
      return { [Symbol.asyncIterator]: () => iterator };
    },
    async drain(): Promise<void> {
      do piece = new Uint8Array(0);
      while (await next());
    },
    async close(): Promise<void> {
      await source.return?.();
    },
  };
}
