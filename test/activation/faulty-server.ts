import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the server answers one request. */
export type Fault =
  | 'good'
  /** Sends three fifths with the full Content-Length, then breaks the connection. */
  | 'breaks'
  /** Sends three fifths and then nothing, for ever. */
  | 'stalls'
  /** Says that three fifths are all. */
  | 'short'
  | 'wrong byte'
  | 'web page'
  | 'not found'
  | 'unavailable'
  /** Answers Range with the whole file and 200. */
  | 'no ranges'
  /** Answers Range with 416. */
  | 'range not satisfiable'
  /** Never stops sending. */
  | 'endless'
  /** Wants a token, as a public registry does, and sends three fifths to who has one. */
  | 'token, breaks'
  | 'token'
  /** Names a place for tokens that gives none. */
  | 'no token';

export interface FaultyServer {
  readonly url: string;
  /** `Range` header of each request so far, '' where there was none. */
  readonly ranges: readonly string[];
  /** Request targets so far: paths, or whole addresses where it was asked as a proxy. */
  readonly addresses: readonly string[];
  /** Resolves when the next request has been answered as far as it will be. */
  answered(): Promise<void>;
  stop(): Promise<void>;
}

/** Serves `file`; the n-th request gets the n-th fault, the ones after the last get the last. */
export async function faultyServer(file: Buffer, faults: readonly Fault[], port = 0): Promise<FaultyServer> {
  const ranges: string[] = [];
  const addresses: string[] = [];
  let waiting: (() => void)[] = [];
  const server: Server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const fault = faults[Math.min(ranges.length, faults.length - 1)] ?? 'good';
    addresses.push(request.url ?? '');
    ranges.push(request.headers.range ?? '');
    const done = () => {
      for (const resolve of waiting) resolve();
      waiting = [];
    };
    response.on('close', done);
    answer(fault, request, response, done);
  });
  function answer(fault: Fault, request: IncomingMessage, response: ServerResponse, done: () => void) {
    response.on('error', () => {});
    if (fault === 'not found') return void response.writeHead(404).end('no such file');
    if (fault === 'unavailable') return void response.writeHead(503).end('come back later');
    if (fault === 'web page') {
      return void response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<!DOCTYPE html><html>Sign in</html>');
    }
    if (request.url?.startsWith('/token?')) {
      // As ghcr.io answers.
      return void response.end('{"token":"djE6b3BlbjpwdWxs","expires_in":300}\n');
    }
    if (/token/.test(fault) && request.headers.authorization !== 'Bearer djE6b3BlbjpwdWxs') {
      const realm = `http://${request.headers.host}/${fault === 'no token' ? 'nothing' : 'token'}`;
      const challenge = `Bearer realm="${realm}",service="registry.example.org",scope="repository:acme/k8s:pull"`;
      return void response.writeHead(401, { 'WWW-Authenticate': challenge }).end('{"errors":[]}');
    }
    if (fault === 'endless') {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(file));
      };
      response.on('drain', more);
      return more();
    }
    if (fault === 'range not satisfiable' && request.headers.range !== undefined) {
      return void response.writeHead(416).end();
    }
    const offset =
      fault === 'no ranges' ? 0 : Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = Buffer.from(file.subarray(offset));
    if (fault === 'wrong byte') body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    const part = body.subarray(0, Math.floor(body.length * 0.6));
    const whole = fault === 'short' ? part : body;
    response.writeHead(offset === 0 ? 200 : 206, {
      'content-length': whole.length,
      ...(offset === 0 ? {} : { 'content-range': `bytes ${offset}-${file.length - 1}/${file.length}` }),
    });
    if (fault === 'breaks' || fault === 'token, breaks')
      return void response.write(part, () => response.destroy());
    if (fault === 'stalls') return void response.write(part, done);
    response.end(whole);
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/provider-kairos.sysext.raw`,
    ranges,
    addresses,
    answered: () => new Promise((resolve) => waiting.push(resolve)),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
