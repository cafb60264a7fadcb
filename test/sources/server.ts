import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a path answers; each request of it takes the next one, the last one stays. */
export interface Behaviour {
  readonly body?: Buffer | string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Send this many bytes of what was asked for, then cut the connection. */
  readonly cutAfter?: number;
  /** Send this many bytes, then nothing more, with the connection open. */
  readonly stallAfter?: number;
  /** Answer the whole file whatever range is asked for, as servers without range support do. */
  readonly noRanges?: boolean;
  readonly noEtag?: boolean;
  readonly redirect?: string;
  /** Wait for this before answering. */
  readonly after?: Promise<void>;
}

export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes of body that were sent. */
  sent: number;
}

export interface TestServer {
  readonly url: string;
  readonly requests: SeenRequest[];
  on(path: string, ...behaviours: readonly (Behaviour | ((request: IncomingMessage) => Behaviour))[]): void;
  /** Requests of a path, in order. */
  of(path: string): SeenRequest[];
  close(): Promise<void>;
}

/** A server on a loopback port that behaves as told, path by path; unknown paths are 404. */
export async function startServer(): Promise<TestServer> {
  const plans = new Map<string, (Behaviour | ((request: IncomingMessage) => Behaviour))[]>();
  const requests: SeenRequest[] = [];
  const server: Server = createServer((request, response) => {
    const path = request.url ?? '';
    const seen: SeenRequest = {
      path,
      range: request.headers.range,
      ifRange: request.headers['if-range'] as string | undefined,
      authorization: request.headers.authorization,
      sent: 0,
    };
    requests.push(seen);
    const plan = plans.get(path) ?? plans.get(path.split('?')[0] ?? '');
    const next = plan !== undefined && plan.length > 1 ? plan.shift() : plan?.[0];
    const behaviour =
      typeof next === 'function' ? next(request) : (next ?? { status: 404, body: 'Not Found' });
    void answer(request, response, behaviour, seen);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on: (path, ...behaviours) => {
      plans.set(path, [...behaviours]);
    },
    of: (path) => requests.filter((request) => request.path.split('?')[0] === path),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  behaviour: Behaviour,
  seen: SeenRequest,
): Promise<void> {
  await behaviour.after;
  if (behaviour.redirect !== undefined) {
    response.writeHead(302, { location: behaviour.redirect }).end();
    return;
  }
  const whole = Buffer.from(behaviour.body ?? '');
  const etag = `"${createHash('sha256').update(whole).digest('hex').slice(0, 16)}"`;
  const status = behaviour.status ?? 200;
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const ifRange = request.headers['if-range'];
  const partial =
    status === 200 && start > 0 && !behaviour.noRanges && (ifRange === undefined || ifRange === etag);
  if (partial && start >= whole.length) {
    response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
    return;
  }
  const body = partial ? whole.subarray(start) : whole;
  response.writeHead(partial ? 206 : status, {
    'content-length': String(body.length),
    ...(behaviour.noEtag ? {} : { etag }),
    ...(partial ? { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` } : {}),
    ...behaviour.headers,
  });
  const stop = behaviour.cutAfter ?? behaviour.stallAfter;
  const piece = stop === undefined ? body : body.subarray(0, stop);
  seen.sent = piece.length;
  if (stop === undefined || stop >= body.length) {
    response.end(body);
    return;
  }
  response.write(piece, () => {
    if (behaviour.cutAfter !== undefined) setTimeout(() => response.destroy(), 5);
  });
}

export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}
