import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { SextantError } from '../support/errors.ts';
import type { Step } from '../support/progress.ts';
import type { Clock } from '../support/retry.ts';
import { statusError, throwIfInterrupted, withRetries } from './attempts.ts';
import { type Answered, ask } from './transport.ts';
import type { Mirror } from './types.ts';

export interface DownloadRequest {
  readonly url: string;
  /** How errors call the address. */
  readonly text: string;
  readonly mirrors: readonly Mirror[];
  readonly headers: Readonly<Record<string, string>>;
  /** File to write; what it already holds is taken as the beginning and not asked for again. */
  readonly path: string;
  /** ETag of what the file holds. */
  readonly etag: string | undefined;
  /** Whether the caller knows the digest: then a beginning is used without an ETag too, because the digest judges the whole. */
  readonly judged: boolean;
  /** Bytes to come, when known: more than that is not written. */
  readonly size: number | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly stallMs: number;
  readonly step: Step;
}

export interface Downloaded {
  readonly sha256: string;
  /** Bytes that came; more than asked for when `tooLong`. */
  readonly size: number;
  readonly tooLong: boolean;
  readonly finalUrl: string;
  /** Whether bytes of an earlier attempt are in it. */
  readonly resumed: boolean;
  /** What the server sent looks like an HTML page. */
  readonly html: boolean;
}

/** How far an answer that is too long is still read, so that its digest can be named. */
const OVERSHOOT = 64 * 1024 * 1024;

/**
 * Downloads one address to a file, resuming by Range requests after every break (with If-Range where the server gave a strong ETag)
 * and starting over where the server does not support them. The file is synced; checking the digest is the caller's. `kept` gets
 * the ETag that belongs to what is in the file, whenever it changes.
 */
export async function download(
  request: DownloadRequest,
  kept: (etag: string | undefined) => void,
): Promise<Downloaded> {
  const { signal, clock, step } = request;
  const file = await open(request.path, 'a+', 0o600);
  try {
    const sink = await openSink(file, request);
    kept(sink.etag);
    let furthest = sink.size;
    const finalUrl = await withRetries(
      {
        clock,
        signal,
        onWait: (error, ms) => step.update({ note: `${error.message}; again in ${Math.ceil(ms / 1000)} s` }),
      },
      async (progressed) => {
        if (request.size !== undefined && sink.size === request.size) return request.url;
        if (sink.size > 0 && sink.etag === undefined && !request.judged) await sink.reset();
        const answer = await askFrom(sink, request);
        kept(sink.etag);
        const total = request.size ?? announcedTotal(answer, sink.size);
        const ends = answer.headers['content-length'] !== undefined || 'transfer-encoding' in answer.headers;
        for await (const piece of answer.body) {
          throwIfInterrupted(signal);
          await sink.write(piece);
          if (sink.size > furthest) {
            furthest = sink.size;
            progressed();
          }
          step.update({ bytes: sink.size, ...(total === undefined ? {} : { total }), note: '' });
          if (sink.size > (request.size ?? Number.POSITIVE_INFINITY) + OVERSHOOT) break;
        }
        if (!ends && request.size !== undefined && sink.size < request.size) {
          throw new SextantError('network', `${request.text}: the connection ended early`, {
            hint: 'run the same command again; what came so far is kept',
            cause: Object.assign(new Error('truncated'), { code: 'TRUNCATED' }),
          });
        }
        return answer.finalUrl;
      },
    );
    await file.sync();
    return {
      sha256: sink.hash.digest('hex'),
      size: sink.size,
      tooLong: request.size !== undefined && sink.size > request.size,
      finalUrl,
      resumed: sink.resumed,
      html: sink.html || /^\s*<(?:!doctype html|html)/i.test(sink.head.toString('latin1')),
    };
  } finally {
    await file.close();
  }
}

interface Sink {
  hash: Hash;
  size: number;
  etag: string | undefined;
  resumed: boolean;
  html: boolean;
  head: Buffer;
  write(piece: Uint8Array): Promise<void>;
  reset(): Promise<void>;
}

/** The file with the running digest of its content. Bytes past the expected size count but are not written. */
async function openSink(file: FileHandle, request: DownloadRequest): Promise<Sink> {
  const limit = request.size ?? Number.POSITIVE_INFINITY;
  const take = (piece: Uint8Array): void => {
    sink.hash.update(piece);
    if (sink.head.length < 64) sink.head = Buffer.concat([sink.head, piece.subarray(0, 64)]);
    sink.size += piece.length;
  };
  const sink: Sink = {
    hash: createHash('sha256'),
    size: 0,
    etag: request.etag,
    resumed: false,
    html: false,
    head: Buffer.alloc(0),
    async write(piece) {
      const room = Math.max(0, Math.min(piece.length, limit - sink.size));
      for (let written = 0; written < room; ) {
        written += (await file.write(piece, written, room - written)).bytesWritten;
      }
      take(piece);
    },
    async reset() {
      await file.truncate(0);
      Object.assign(sink, {
        hash: createHash('sha256'),
        size: 0,
        etag: undefined,
        resumed: false,
        head: Buffer.alloc(0),
      });
    },
  };
  const { size } = await file.stat();
  if (size > limit || (size > 0 && !request.judged && request.etag === undefined)) {
    await sink.reset();
  } else if (size > 0) {
    for await (const piece of createReadStream(request.path, { highWaterMark: 1024 * 1024 })) {
      throwIfInterrupted(request.signal);
      take(piece as Buffer);
    }
    sink.resumed = true;
  }
  return sink;
}

/** Asks for what the sink still lacks and puts the sink where the answer begins. */
async function askFrom(sink: Sink, request: DownloadRequest): Promise<Answered> {
  for (;;) {
    const headers: Record<string, string> = { ...request.headers };
    if (sink.size > 0) {
      headers.range = `bytes=${sink.size}-`;
      // RFC 9110, 13.1.5: If-Range takes strong validators only.
      if (sink.etag !== undefined) headers['if-range'] = sink.etag;
    }
    const { signal, stallMs } = request;
    const answer = await ask(request.url, request.mirrors, { headers, signal, stallMs });
    const { status } = answer;
    if (status === 206 && sink.size > 0) {
      const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
      if (start !== undefined && Number(start) === sink.size) {
        sink.resumed = true;
        return answer;
      }
    }
    if (status === 200) {
      if (sink.size > 0) await sink.reset();
      const { etag, 'content-type': type = '' } = answer.headers;
      sink.etag = etag?.startsWith('"') ? etag : undefined;
      sink.html = type.startsWith('text/html');
      return answer;
    }
    await answer.discard();
    if (sink.size > 0 && (status === 206 || status === 416)) {
      await sink.reset();
      continue;
    }
    throw statusError(request.text, answer);
  }
}

function announcedTotal(answer: Answered, have: number): number | undefined {
  const length = Number(answer.headers['content-length']);
  return Number.isSafeInteger(length) && length > 0 ? have + length : undefined;
}
