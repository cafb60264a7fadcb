import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to the next request that a fault is for, instead of what should. */
export interface Fault {
  readonly method: string;
  readonly path: RegExp;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Take this many bytes of the body, then close the connection. */
  readonly cutAfter?: number;
  /** Done before the request is handled as usual. */
  readonly first?: () => void;
  /** Done when it was handled, before anyone can know. */
  readonly last?: () => void;
  /** For how many requests; default 1. */
  times?: number;
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly contentRange: string | undefined;
  /** Bytes of body that arrived. */
  bytes: number;
}

export interface FakeRegistry {
  readonly host: string;
  readonly requests: Seen[];
  readonly blobs: Map<string, Buffer>;
  /** By digest. */
  readonly manifests: Map<string, Buffer>;
  readonly tags: Map<string, string>;
  fault(fault: Fault): void;
  /** Everything wants a token of the token service; each holds for this many seconds of `now`. */
  guard(options: { seconds: number; now: () => number; login?: string; refreshToken?: string }): void;
  readonly tokens: {
    readonly scope: string;
    readonly authorization: string | undefined;
    readonly body: string;
  }[];
  close(): Promise<void>;
}

const digestOf = (data: Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** A registry in memory that can be pushed to (OCI distribution specification 1.1), and that misbehaves as told. */
export async function startFakeRegistry(
  options: { readonly referrers?: boolean } = {},
): Promise<FakeRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const tags = new Map<string, string>();
  const uploads = new Map<string, Buffer>();
  const requests: Seen[] = [];
  const faults: Fault[] = [];
  const tokens: FakeRegistry['tokens'] = [];
  const valid = new Map<string, number>();
  let guard: Parameters<FakeRegistry['guard']>[0] | undefined;

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    const seen: Seen = {
      method: request.method ?? '',
      path: `${url.pathname}${url.search}`,
      authorization: request.headers.authorization,
      contentRange: request.headers['content-range'],
      bytes: 0,
    };
    requests.push(seen);
    const fault = faults.find(({ method, path }) => method === seen.method && path.test(seen.path));
    if (fault !== undefined) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
      fault.first?.();
      if (fault.status !== undefined) {
        request.resume();
        response.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '');
        return;
      }
    }
    if (url.pathname === '/token') return giveToken(request, response, url);
    if (guard !== undefined && !authorized(seen.authorization)) {
      const realm = `http://${host()}/token`;
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="${realm}",service="fake",scope="repository:acme/k8s:pull"`,
        })
        .end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }));
      return;
    }
    const pieces: Buffer[] = [];
    const upload = /\/blobs\/uploads\/(.+)$/.exec(url.pathname)?.[1];
    for await (const piece of request) {
      const rest = fault?.cutAfter === undefined ? piece : piece.subarray(0, fault.cutAfter - seen.bytes);
      pieces.push(rest as Buffer);
      seen.bytes += rest.length;
      if (fault?.cutAfter !== undefined && seen.bytes >= fault.cutAfter) {
        if (upload !== undefined) keep(upload, Buffer.concat(pieces));
        request.socket.destroy();
        return;
      }
    }
    answer(seen.method, url, Buffer.concat(pieces), request, response);
    fault?.last?.();
  }

  const keep = (id: string, data: Buffer) => {
    const before = uploads.get(id);
    if (before !== undefined) uploads.set(id, Buffer.concat([before, data]));
  };

  function answer(
    method: string,
    url: URL,
    body: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const [, , kind = '', name = ''] =
      /^\/v2\/(.+?)\/(blobs|manifests|referrers)\/(.*)$/.exec(url.pathname) ?? [];
    const end = (status: number, headers: Record<string, string> = {}, text: string | Buffer = '') =>
      response.writeHead(status, headers).end(text);
    const location = (id: string) => `/v2/acme/k8s/blobs/uploads/${id}?state=${randomUUID()}`;
    const range = (id: string) => `0-${Math.max(0, (uploads.get(id)?.length ?? 0) - 1)}`;
    if (kind === 'blobs' && name === 'uploads/' && method === 'POST') {
      const id = randomUUID();
      uploads.set(id, Buffer.alloc(0));
      end(202, { location: location(id), range: '0-0' });
      return;
    }
    if (kind === 'blobs' && name.startsWith('uploads/')) {
      const id = name.slice('uploads/'.length);
      const data = uploads.get(id);
      if (data === undefined) return void end(404, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}');
      if (method === 'GET') return void end(204, { location: location(id), range: range(id) });
      if (method === 'PATCH') {
        const from = Number(/^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1] ?? 0);
        if (from !== data.length) return void end(416, { range: range(id) });
        keep(id, body);
        return void end(202, { location: location(id), range: range(id) });
      }
      const digest = url.searchParams.get('digest') ?? '';
      const whole = Buffer.concat([data, body]);
      if (digestOf(whole) !== digest) return void end(400, {}, '{"errors":[{"code":"DIGEST_INVALID"}]}');
      uploads.delete(id);
      blobs.set(digest, whole);
      return void end(201, { 'docker-content-digest': digest });
    }
    if (kind === 'blobs') {
      const data = blobs.get(name);
      if (data === undefined) return void end(404);
      return void end(200, { 'content-length': String(data.length) }, method === 'HEAD' ? '' : data);
    }
    if (kind === 'manifests' && method === 'PUT') {
      const digest = digestOf(body);
      const value = JSON.parse(body.toString()) as { subject?: { digest: string } };
      manifests.set(digest, body);
      if (!name.startsWith('sha256:')) tags.set(name, digest);
      const subject = value.subject?.digest;
      const header = options.referrers && subject !== undefined ? { 'oci-subject': subject } : {};
      return void end(201, { 'docker-content-digest': digest, ...header });
    }
    if (kind === 'manifests') {
      const digest = tags.get(name) ?? name;
      const data = manifests.get(digest);
      if (data === undefined) return void end(404);
      const headers = { 'docker-content-digest': digest, 'content-length': String(data.length) };
      return void end(200, headers, method === 'HEAD' ? '' : data);
    }
    if (kind === 'referrers' && options.referrers) {
      const found = [...manifests].filter(([, data]) => JSON.parse(data.toString()).subject?.digest === name);
      return void end(200, {}, JSON.stringify({ manifests: found.map(([digest]) => ({ digest })) }));
    }
    end(404);
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    let body = '';
    for await (const piece of request) body += piece;
    const form = new URLSearchParams(body);
    const scope =
      (request.method === 'POST' ? form.get('scope') : url.searchParams.getAll('scope').join(' ')) ?? '';
    tokens.push({ scope, authorization: request.headers.authorization, body });
    const refused =
      guard?.refreshToken === undefined
        ? guard?.login !== undefined &&
          request.headers.authorization !== `Basic ${Buffer.from(guard.login).toString('base64')}`
        : form.get('refresh_token') !== guard.refreshToken;
    if (guard === undefined || refused) {
      response
        .writeHead(401)
        .end('{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}');
      return;
    }
    const token = randomUUID();
    valid.set(`Bearer ${token}`, guard.now() + guard.seconds * 1000);
    response.end(JSON.stringify({ token, expires_in: guard.seconds }));
  }

  const authorized = (header: string | undefined) =>
    guard !== undefined && (valid.get(header ?? '') ?? 0) > guard.now();
  const host = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    ...{ host: host(), requests, blobs, manifests, tags, tokens },
    fault: (fault) => void faults.push({ ...fault }),
    guard: (given) => {
      guard = given;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
