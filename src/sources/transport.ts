import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { SextantError } from '../support/errors.ts';
import {
  connectionError,
  type HttpRequest,
  type HttpResponse,
  httpRequest,
  redact,
} from '../support/http.ts';
import { addressText, isRegistry, localPath, mirrored } from './mirrors.ts';
import type { Mirror } from './types.ts';

/** An answer after redirects. */
export interface Answered extends HttpResponse {
  /** The address that answered, mirrors and redirects applied. */
  readonly finalUrl: string;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Asks an address through the mirrors, following up to 10 redirects (their targets go through the mirrors too). Authorization is
 * not sent on to another origin, and a redirect from https to http is refused. Local mirrors answer as a server with ranges would.
 * Throws `network` for redirects that are refused (no cause) and for connections that fail or break (their cause is the
 * connection's error), also out of the body.
 */
export async function ask(
  url: string,
  mirrors: readonly Mirror[],
  request: HttpRequest = {},
): Promise<Answered> {
  let address = mirrored(url, mirrors);
  const text = addressText(url, address);
  let headers = { ...request.headers };
  for (let redirects = 0; ; redirects += 1) {
    const path = localPath(address);
    if (path !== undefined) return askFile(path, address, headers);
    if (isRegistry(address) && address !== url) {
      throw new SextantError('input', `${text}: a mirror in a registry holds nothing but what a lock pins`, {
        hint: 'write the lock where there is a network, then run `sextant mirror` there again',
      });
    }
    if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) {
      throw new SextantError('input', `${text}: not an http or https address`, {
        hint: 'check the address in the recipe and its mirrors',
      });
    }
    const response = await connected(address, request.signal, () =>
      httpRequest(address, { ...request, headers }),
    );
    const location = response.headers.location;
    if (!REDIRECTS.has(response.status) || location === undefined) {
      return { ...response, body: watched(address, request.signal, response.body), finalUrl: address };
    }
    await response.discard();
    if (request.body !== undefined) {
      throw new SextantError('network', `${text}: redirected to ${redact(location)}, refused`, {
        hint: 'what is sent is for this address alone; use the address that it redirects to',
      });
    }
    if (redirects === MAX_REDIRECTS) {
      throw new SextantError('network', `${text}: more than ${MAX_REDIRECTS} redirects`, {
        hint: 'the server redirects in a circle; check the address',
      });
    }
    if (!URL.canParse(location, address)) {
      throw new SextantError('network', `${text}: redirected to an address that is none`);
    }
    const target = new URL(location, address);
    if (new URL(address).protocol === 'https:' && target.protocol !== 'https:') {
      throw new SextantError('network', `${text}: redirected from https to ${redact(target.href)}, refused`, {
        hint: 'an encrypted download does not go on unencrypted; use another address or a mirror',
      });
    }
    const next = mirrored(target.href, mirrors);
    if (!sameOrigin(address, next)) {
      const { authorization: _, ...others } = headers;
      headers = others;
    }
    address = next;
  }
}

async function connected<T>(
  address: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw connectionError(address, error);
  }
}

async function* watched(
  address: string,
  signal: AbortSignal | undefined,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw connectionError(address, error);
  }
}

function sameOrigin(a: string, b: string): boolean {
  return URL.canParse(b) && new URL(a).origin === new URL(b).origin;
}

async function askFile(
  path: string,
  address: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answered> {
  const empty = { body: none(), discard: async () => {}, headers: {}, finalUrl: address };
  let size: number;
  try {
    const found = await stat(path);
    if (!found.isFile()) return { ...empty, status: 404 };
    size = found.size;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return { ...empty, status: 404 };
    throw error;
  }
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  if (start > 0 && start >= size) return { ...empty, status: 416 };
  const body = createReadStream(path, { start, highWaterMark: 1024 * 1024 });
  return {
    status: start > 0 ? 206 : 200,
    headers: {
      'content-length': String(size - start),
      ...(start > 0 ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {}),
    },
    body,
    discard: async () => {
      body.destroy();
    },
    finalUrl: address,
  };
}

async function* none(): AsyncGenerator<Uint8Array> {}
