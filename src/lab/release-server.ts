import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';

/** How the server answers for .raw files. */
export type Behaviour =
  | { readonly kind: 'right' }
  /** The connection ends after this fraction of the file. */
  | { readonly kind: 'breaks-off'; readonly fraction: number }
  /** One byte in the middle of the file differs. */
  | { readonly kind: 'wrong-byte' }
  /** An HTML page with status 200, as a login page of a network does. */
  | { readonly kind: 'html-page' };

export interface ServedRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly behaviour: Behaviour['kind'];
}

export interface ReleaseServer {
  /** Address of the folder as a guest on QEMU's user network sees it (slirp: the host is 10.0.2.2). */
  readonly guestUrl: string;
  readonly port: number;
  /** Every request so far. */
  readonly requests: readonly ServedRequest[];
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

/** Serves the files of a folder (and of `/NAME/` prefixes, further folders) on loopback, with ranges, and as faulty as it is told to be. */
export async function serveRelease(folders: Readonly<Record<string, string>>): Promise<ReleaseServer> {
  const requests: ServedRequest[] = [];
  let behaviour: Behaviour = { kind: 'right' };
  const server = createServer((request, response) => {
    requests.push({
      method: request.method ?? '',
      path: request.url ?? '',
      range: request.headers.range,
      behaviour: behaviour.kind,
    });
    answer(request, response, folders, behaviour).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 1000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    guestUrl: `http://10.0.2.2:${port}`,
    port,
    requests,
    behave(wanted) {
      behaviour = wanted;
    },
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
  folders: Readonly<Record<string, string>>,
  behaviour: Behaviour,
): Promise<void> {
  const [prefix = '', name = ''] = decodeURIComponent((request.url ?? '').split('?')[0] ?? '')
    .slice(1)
    .split('/');
  const folder = folders[prefix];
  const path = folder === undefined || name === '' ? undefined : join(folder, basename(name));
  const size =
    path === undefined
      ? undefined
      : await stat(path).then(
          (found) => (found.isFile() ? found.size : undefined),
          () => undefined,
        );
  if (path === undefined || size === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
    return;
  }
  const faulty = path.endsWith('.raw') ? behaviour : ({ kind: 'right' } as const);
  if (faulty.kind === 'html-page') {
    const page =
      '<!doctype html><title>Welcome</title><p>Please accept the terms of this network.</p>\n'.repeat(50);
    response
      .writeHead(200, { 'content-type': 'text/html', 'content-length': Buffer.byteLength(page) })
      .end(page);
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const from = range === null ? 0 : Number(range[1]);
  const to = Math.min(range?.[2] ? Number(range[2]) : size - 1, size - 1);
  if (from >= size) {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'content-length': to - from + 1,
    'accept-ranges': 'bytes',
    ...(range === null ? {} : { 'content-range': `bytes ${from}-${to}/${size}` }),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const end = faulty.kind === 'breaks-off' ? Math.floor(size * faulty.fraction) : size;
  const wrongAt = faulty.kind === 'wrong-byte' ? Math.floor(size / 2) : -1;
  let position = from;
  for await (const piece of createReadStream(path, { start: from, end: to, highWaterMark: 256 * 1024 })) {
    const bytes = piece as Buffer;
    if (position + bytes.length > end) {
      response.destroy();
      return;
    }
    if (wrongAt >= position && wrongAt < position + bytes.length) {
      bytes.writeUInt8(bytes.readUInt8(wrongAt - position) ^ 0xff, wrongAt - position);
    }
    if (!response.write(bytes)) await new Promise((resolve) => response.once('drain', resolve));
    if (response.destroyed) return;
    position += bytes.length;
  }
  response.end();
}
