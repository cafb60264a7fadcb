import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileDigest } from '../support/files.ts';
import type { BuildLog } from './build-log.ts';
import { type Authority, createAuthority } from './certificates.ts';
import { serveFile } from './serve-file.ts';
import type { Answer } from './types.ts';

export interface Refusal {
  readonly url: string;
  readonly reason: string;
}

/** A running recording proxy. */
export interface RecordingProxy {
  /** Unix socket it listens on; only this user can reach it. */
  readonly socket: string;
  /** PEM certificate that its clients must trust. */
  readonly certificate: string;
  /** Addresses asked for, in order, without repeats. */
  urls(): readonly string[];
  /** What was not served, in order, without repeats. */
  refusals(): readonly Refusal[];
  /** The first thing that `answer` or the file system threw. */
  failure(): unknown;
  /** Ends all connections and waits until everything is in the log. */
  close(): Promise<void>;
}

interface ProxyRequest {
  readonly answer: (url: string) => Promise<Answer>;
  readonly log: BuildLog;
  /** Called with true while at least one answer is being waited for, with false when none is any more. */
  readonly onWaiting?: (waiting: boolean) => void;
}

/**
 * Starts the hook's only way out: an HTTP proxy (CONNECT and absolute-form requests, RFC 9110 section 9.3.6 and RFC 9112 section
 * 3.2.2) that reaches nothing itself. It asks `answer` once for each address and serves the file, without redirects, or refuses with 403.
 * TLS ends here, with certificates of an authority of its own.
 */
export async function startProxy({ answer, log, onWaiting }: ProxyRequest): Promise<RecordingProxy> {
  const authority = await createAuthority();
  // Not in the work folder: the path of a unix socket has at most 107 bytes (unix(7)).
  const folder = await mkdtemp(join(tmpdir(), 'sextant-'));
  const socket = join(folder, 'proxy');
  const answers = new Map<string, Promise<Answer>>();
  const refusals = new Map<string, string>();
  const digests = new Map<string, Promise<string>>();
  const pending = new Set<Promise<unknown>>();
  const connections = new Set<Duplex>();
  let failure: unknown;
  let waiting = 0;

  const refuse = (url: string, reason: string, asked: string) => {
    if (!refusals.has(url)) refusals.set(url, reason);
    log.line('proxy', `${asked} ${url} refused: ${reason}`);
  };
  const ask = (url: string): Promise<Answer> => {
    const known = answers.get(url);
    if (known !== undefined) return known;
    waiting += 1;
    if (waiting === 1) onWaiting?.(true);
    const asked = Promise.resolve()
      .then(() => answer(url))
      .finally(() => {
        waiting -= 1;
        if (waiting === 0) onWaiting?.(false);
      });
    answers.set(url, asked);
    return asked;
  };
  const digestOf = (path: string): Promise<string> => {
    const known = digests.get(path) ?? fileDigest(path).then(({ sha256 }) => sha256);
    digests.set(path, known);
    return known;
  };

  const respond = async (url: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const method = request.method ?? '';
    request.resume();
    if (method !== 'GET' && method !== 'HEAD') {
      refuse(url, `the method ${method} cannot be pinned, only GET and HEAD are served`, method);
      reject(response, 405, `${method} is not served here`, { allow: 'GET, HEAD' });
      return;
    }
    try {
      const found = await ask(url);
      if (found.kind === 'refuse') {
        refuse(url, found.reason, method);
        reject(response, 403, `${url}: ${found.reason}`);
        return;
      }
      const headers = found.finalUrl === undefined ? undefined : { 'content-location': found.finalUrl };
      const digest = digestOf(found.path);
      digest.catch(() => {}); // Awaited below; a failure in between is the file's and shows there.
      const { status, bytes } = await serveFile(request, response, found.path, headers);
      log.line('proxy', `${method} ${url} ${status}, ${bytes} bytes, file sha256:${await digest}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (response.headersSent && isClientGone(error)) {
        log.line('proxy', `${method} ${url} the client left before the end`);
        return;
      }
      failure ??= error;
      log.line('proxy', `${method} ${url} failed: ${reason}`);
      if (response.headersSent) response.destroy();
      else reject(response, 502, reason);
    }
  };
  const handle = (url: string, request: IncomingMessage, response: ServerResponse) => {
    const work = respond(url, request, response);
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };

  const tunnels = new Map<string, Promise<TlsServer>>();
  const tunnelTo = (host: string, port: number): Promise<TlsServer> => {
    const origin = `${host}:${port}`;
    const known = tunnels.get(origin) ?? tlsServer(authority, host, port, handle, refuse);
    tunnels.set(origin, known);
    return known;
  };

  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const url = absoluteForm(request.url ?? '');
    if (url !== undefined) handle(url, request, response);
    else reject(response, 400, 'this is a proxy: send the whole address');
  });
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const target = connectTarget(request.url ?? '');
    client.on('error', () => client.destroy());
    if (target === undefined) {
      log.line('proxy', `CONNECT ${request.url} is not HOST:PORT`);
      client.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    tunnelTo(target.host, target.port).then(
      (tunnel) => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        if (head.length > 0) client.unshift(head);
        tunnel.emit('connection', client as Socket);
      },
      (error: unknown) => {
        failure ??= error;
        client.destroy();
      },
    );
  });
  server.on('connection', (client) => {
    connections.add(client);
    client.on('close', () => connections.delete(client));
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, resolve);
    });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }

  return {
    socket,
    certificate: authority.certificate,
    urls: () => [...answers.keys()],
    refusals: () => [...refusals].map(([url, reason]) => ({ url, reason })),
    failure: () => failure,
    async close() {
      for (const connection of connections) connection.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      // An answer that is still being looked for ends by the caller's signal or by itself.
      await Promise.allSettled([...pending, ...digests.values()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A server for one host and port behind CONNECT: connections are handed to it, it listens nowhere. */
async function tlsServer(
  authority: Authority,
  host: string,
  port: number,
  handle: (url: string, request: IncomingMessage, response: ServerResponse) => void,
  refuse: (url: string, reason: string, asked: string) => void,
): Promise<TlsServer> {
  const origin = `https://${host.includes(':') ? `[${host}]` : host}${port === 443 ? '' : `:${port}`}`;
  const identity = await authority.identityFor(host);
  const server = createTlsServer(
    { ...identity, ALPNProtocols: ['http/1.1'], minVersion: 'TLSv1.2', requestTimeout: 0 },
    (request, response) => {
      // Where a request goes is decided by CONNECT, as for a real tunnel; the Host header is the client's own matter.
      const url = request.url?.startsWith('/') ? normalized(`${origin}${request.url}`) : undefined;
      if (url !== undefined) handle(url, request, response);
      else reject(response, 400, 'the request needs a path');
    },
  );
  server.on('tlsClientError', (error: NodeJS.ErrnoException, client) => {
    client.destroy();
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return; // Left before it said anything.
    refuse(`${origin}/`, `TLS with the sandbox's proxy failed (${error.message.split('\n')[0]})`, 'CONNECT');
  });
  return server;
}

function reject(
  response: ServerResponse,
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `sextant: ${reason}\n`;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** Host and port of a CONNECT request; undefined where it is none. IPv6 addresses come in brackets and leave without. */
export function connectTarget(authority: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]{0,252})?)):(\d{1,5})$/i.exec(authority);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = (match[1] ?? match[2] ?? '').toLowerCase();
  const url = normalized(`https://${match[1] === undefined ? host : `[${host}]`}:${port}/`);
  return url === undefined || port === 0 ? undefined : { host, port };
}

/** Address of a request to a proxy, in one spelling; undefined where it is not http(s). */
function absoluteForm(target: string): string | undefined {
  return /^https?:\/\//i.test(target) ? normalized(target) : undefined;
}

function normalized(address: string): string | undefined {
  try {
    const url = new URL(address);
    url.hash = '';
    return url.href;
  } catch {
    return undefined;
  }
}

function isClientGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE';
}
