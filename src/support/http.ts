import { Readable } from 'node:stream';
import { clockText } from './clock.ts';
import { SextantError } from './errors.ts';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it comes, never held whole; a stream wants a content-length among the headers. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a single byte, in either direction, after which the connection is given up; default 60 s. */
  readonly stallMs?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; repeated headers are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they come; throws the connection's error when it breaks before the announced end. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives the connection back without the rest of the body. */
  discard(): Promise<void>;
}

type Undici = typeof import('undici');
let undici: Promise<Undici> | undefined;
const agents = new Map<string, InstanceType<Undici['EnvHttpProxyAgent']>>();

/**
 * One HTTP request; redirects and status codes are the caller's. HTTPS_PROXY, HTTP_PROXY and NO_PROXY (either case) are honoured,
 * private authorities come by NODE_EXTRA_CA_CERTS. A user and password in the address become Basic authorization.
 * Rejects with the connection's own error (`code` ECONNREFUSED, UND_ERR_BODY_TIMEOUT ...), or the signal's reason.
 */
export async function httpRequest(address: string, request: HttpRequest = {}): Promise<HttpResponse> {
  // Loaded on the first request: commands that need no network start without it.
  // A bundle has a CommonJS module's exports under `default` alone.
  undici ??= import('undici').then((module) => (module as { default?: Undici }).default ?? module);
  const { request: send, EnvHttpProxyAgent } = await undici;
  const { stallMs = 60_000 } = request;
  const url = new URL(address);
  const headers: Record<string, string> = {
    'user-agent': 'sextant',
    // Digests are of the bytes as published, not of what a server may make of them on the way.
    'accept-encoding': 'identity',
    ...request.headers,
  };
  if (url.username !== '' && headers.authorization === undefined) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  url.username = '';
  url.password = '';
  const sending = watchedBody(request.body, stallMs);
  const signals = [request.signal, sending.signal].filter((signal) => signal !== undefined);
  const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
  const answer = send(url, {
    method: request.method ?? 'GET',
    headers,
    dispatcher: agent(EnvHttpProxyAgent),
    headersTimeout: stallMs,
    bodyTimeout: stallMs,
    ...(sending.body === undefined ? {} : { body: sending.body }),
    ...(signal ? { signal } : {}),
  }).finally(sending.stop);
  const response = await (signal ? orAborted(answer, signal) : answer);
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    status: response.statusCode,
    headers: flat,
    body: response.body,
    discard: () =>
      response.body.dump({ limit: 64 * 1024 }).then(
        () => {},
        () => {},
      ),
  };
}

/** undici looks at the signal of a request only once it is connected, which a network that drops packets makes long. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** A body whose sending is given up when the other side takes nothing for `stallMs`: undici itself watches only what it reads. */
function watchedBody(body: HttpRequest['body'], stallMs: number) {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array)
    return { body, signal: undefined, stop: () => {} };
  const stalled = new AbortController();
  const giveUp = () =>
    stalled.abort(Object.assign(new Error('the other side takes nothing more'), { code: 'SEND_TIMEOUT' }));
  let timer: NodeJS.Timeout | undefined;
  const stop = () => clearTimeout(timer);
  async function* pieces(from: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of from) {
      timer = setTimeout(giveUp, stallMs);
      yield piece; // Comes back when it has been taken.
      stop();
    }
  }
  return { body: Readable.from(pieces(body), { objectMode: false }), signal: stalled.signal, stop };
}

function agent(EnvHttpProxyAgent: Undici['EnvHttpProxyAgent']) {
  const { env } = process;
  const httpProxy = env.http_proxy || env.HTTP_PROXY || '';
  const httpsProxy = env.https_proxy || env.HTTPS_PROXY || '';
  const key = JSON.stringify([httpProxy, httpsProxy]);
  let found = agents.get(key);
  if (found === undefined) {
    found = new EnvHttpProxyAgent({
      httpProxy,
      httpsProxy,
      // As curl does: plain http goes to the proxy as a request, only https through a tunnel.
      proxyTunnel: false,
      allowH2: false,
      connect: { timeout: 20_000 },
      keepAliveTimeout: 10_000,
    });
    agents.set(key, found);
  }
  return found;
}

/** An address fit for messages and logs: no password, and of a signed address no signature. */
export function redact(address: string): string {
  if (!/^https?:/i.test(address) || !URL.canParse(address)) return address;
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') {
    url.username = '***';
    url.password = '';
  }
  for (const name of [...url.searchParams.keys()]) {
    if (/sig|token|credential|key|secret|password/i.test(name)) url.searchParams.set(name, '***');
  }
  return url.href;
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS|ERR_SSL/;

/** Whether a failed connection can succeed when tried again: not where a name is unknown or a certificate refused. */
export function isTransient(error: unknown): boolean {
  const code = errorCode(error);
  return !(code === 'ENOTFOUND' || code === 'ERR_INVALID_URL' || CERTIFICATE.test(code));
}

/** OpenSSL's codes, as Node.js names them, for a certificate whose time is not now: this machine's clock may be what is wrong. */
const NOT_NOW: Readonly<Record<string, string>> = {
  CERT_NOT_YET_VALID: 'is not yet valid',
  CERT_HAS_EXPIRED: 'has expired',
};

/** A connection's failure as an error for people. `now` is this machine's clock, for display only. */
export function connectionError(address: string, error: unknown, now = new Date()): SextantError {
  const code = errorCode(error);
  const time = NOT_NOW[code];
  if (time !== undefined) {
    return new SextantError(
      'network',
      `${redact(address)}: the server's certificate ${time} by this machine's clock, which says ${clockText(now)}`,
      {
        hint: 'set the clock if that is not the time; if it is, the server needs a new certificate',
        cause: error,
      },
    );
  }
  const [what, hint] =
    code === 'ENOTFOUND' || code === 'EAI_AGAIN'
      ? [
          'the host name is not known',
          'check the network; behind a proxy set HTTPS_PROXY, or name a mirror in the recipe',
        ]
      : code === 'ECONNREFUSED'
        ? ['the connection was refused', 'check that the server runs and no firewall is in the way']
        : /TIMEOUT|ETIMEDOUT/.test(code)
          ? ['nothing came for too long', 'run the same command again; what came so far is kept']
          : CERTIFICATE.test(code)
            ? [
                `the certificate is refused (${code})`,
                'for a private certificate authority set NODE_EXTRA_CA_CERTS to its PEM file',
              ]
            : [
                `the connection broke (${code || messageOf(error)})`,
                'run the same command again; what came so far is kept',
              ];
  return new SextantError('network', `${redact(address)}: ${what}`, { hint, cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's or library's code of an error, looking through wrappers ("" when there is none). */
export function errorCode(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    if (at instanceof AggregateError && at.errors.length > 0) return errorCode(at.errors[0]);
  }
  return '';
}
