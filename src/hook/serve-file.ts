import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** Part of a file, first and last byte included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a Range header for a file of `size` bytes (RFC 9110, section 14). 'whole' where there is none, or one that may be ignored: another
 * unit, several ranges, malformed; 'outside' where it begins past the end.
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'whole' | 'outside' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null) return 'whole';
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return 'whole';
    const count = Number(to);
    return count === 0 || size === 0 ? 'outside' : { first: Math.max(0, size - count), last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return 'whole';
  return first >= size ? 'outside' : { first, last };
}

/** Answers GET or HEAD with a file, streamed. Resolves to the status and the bytes sent when the response is out. */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; bytes: number }> {
  const file = await open(path, 'r');
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw Object.assign(new Error(`${path}: not a file`), { code: 'EISDIR', path });
    const range = readRange(request.headers.range, stat.size);
    if (range === 'outside') {
      response.writeHead(416, { 'content-range': `bytes */${stat.size}`, 'content-length': 0 }).end();
      return { status: 416, bytes: 0 };
    }
    const { first, last } = range === 'whole' ? { first: 0, last: stat.size - 1 } : range;
    const length = last - first + 1;
    const status = range === 'whole' ? 200 : 206;
    response.writeHead(status, {
      'content-type': 'application/octet-stream',
      'content-length': length,
      'accept-ranges': 'bytes',
      ...(range === 'whole' ? {} : { 'content-range': `bytes ${first}-${last}/${stat.size}` }),
      ...headers,
    });
    if (request.method === 'HEAD' || length === 0) {
      response.end();
      return { status, bytes: 0 };
    }
    await pipeline(
      file.createReadStream({ start: first, end: last, autoClose: false, highWaterMark: 256 * 1024 }),
      response,
    );
    return { status, bytes: length };
  } finally {
    await file.close();
  }
}
