import { type IncomingHttpHeaders, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Options {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

/** Asks a proxy on a unix socket for an http address, in absolute form. */
export function viaProxy(socket: string, url: string, options: Options = {}): Promise<Received> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, path: url, agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (piece: string) => {
        body += piece;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    asked.on('error', reject).end();
  });
}

/** Opens a tunnel; rejects when the proxy does not answer 200. */
export function tunnel(socket: string, authority: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, method: 'CONNECT', path: authority, agent: false });
    asked.on('connect', (response, connection) => {
      if (response.statusCode === 200) resolve(connection);
      else reject(new Error(`CONNECT ${response.statusCode}`));
    });
    asked.on('error', reject).end();
  });
}

/** Asks for an https address through CONNECT, trusting `ca` only. */
export async function viaTunnel(
  socket: string,
  url: string,
  ca: string,
  options: Options = {},
): Promise<Received> {
  const { hostname, port, pathname, search } = new URL(url);
  const connection = await tunnel(socket, `${hostname}:${port || 443}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const secure = tlsConnect({
    socket: connection,
    ca,
    host,
    ...(/^[\d.:a-f]+$/.test(host) ? {} : { servername: host }),
  });
  return new Promise((resolve, reject) => {
    secure.on('error', reject);
    const asked = request(
      { createConnection: () => secure, path: pathname + search, host, ...options },
      (response) => {
        let body = '';
        response.setEncoding('latin1').on('data', (piece: string) => {
          body += piece;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    asked.on('error', reject).end();
  });
}
