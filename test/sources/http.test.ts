import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttps, type Server } from 'node:https';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ask } from '../../src/sources/transport.ts';
import { connectionError, httpRequest, redact } from '../../src/support/http.ts';
import { backOff, retryAfterMs } from '../../src/support/retry.ts';
import { contextFor, errorOf, instantClock, withFolder } from './context.ts';
import { startServer } from './server.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

async function listen(server: { listen: Server['listen']; address: Server['address'] }): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  return (server.address() as AddressInfo).port;
}

async function withHttps(
  work: (port: number, folder: string) => Promise<void>,
  handle: (request: IncomingMessage) => { status: number; location?: string; body?: string },
): Promise<void> {
  await withFolder(async (folder) => {
    const key = join(folder, 'key.pem');
    const certificate = join(folder, 'certificate.pem');
    execFileSync(
      'openssl',
      // biome-ignore format: one line as one would type it
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
      { stdio: 'ignore' },
    );
    const server = createHttps(
      { key: readFileSync(key), cert: readFileSync(certificate) },
      (request, response) => {
        const { status, location, body } = handle(request);
        response.writeHead(status, location === undefined ? {} : { location }).end(body);
      },
    );
    const port = await listen(server);
    try {
      await work(port, folder);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const piece of body) text += Buffer.from(piece).toString();
  return text;
}

describe('encryption', () => {
  test('a redirect from https to http is refused', () =>
    withHttps(
      async (port) => {
        vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
        const error = await errorOf(ask(`https://127.0.0.1:${port}/x`, []));
        expect(error.code).toBe('network');
        expect(error.message).toContain('redirected from https to http://127.0.0.1:9/plain, refused');
      },
      () => ({ status: 302, location: 'http://127.0.0.1:9/plain' }),
    ));

  test('an unknown authority is refused at once, and the hint says how to add it', () =>
    withHttps(
      async (port, folder) => {
        const context = contextFor(folder);
        const error = await errorOf(context.store.discover(`https://127.0.0.1:${port}/x`));
        expect(error.message).toContain('the certificate is refused');
        expect(error.hint).toContain('NODE_EXTRA_CA_CERTS');
        expect(context.clock.waits).toEqual([]);
      },
      () => ({ status: 200, body: 'x' }),
    ));
});

describe('proxies', () => {
  test('plain http goes to HTTP_PROXY as a request, and not for hosts of NO_PROXY', async () => {
    const seen: string[] = [];
    const proxy = createHttp((request, response) => {
      seen.push(request.url ?? '');
      response.end('by proxy');
    });
    const port = await listen(proxy as never);
    const server = await startServer();
    server.on('/x', { body: 'direct' });
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${port}`);
    vi.stubEnv('NO_PROXY', '');
    expect(await textOf((await httpRequest('http://release.example/x')).body)).toBe('by proxy');
    expect(seen).toEqual(['http://release.example/x']);
    vi.stubEnv('NO_PROXY', '127.0.0.1');
    expect(await textOf((await httpRequest(`${server.url}/x`)).body)).toBe('direct');
    await server.close();
    proxy.closeAllConnections();
    proxy.close();
  });

  test('https goes through a tunnel of HTTPS_PROXY', () =>
    withHttps(
      async (port) => {
        const tunnels: string[] = [];
        const proxy = createHttp();
        proxy.on('connect', (request, socket) => {
          tunnels.push(request.url ?? '');
          const upstream = connect(port, '127.0.0.1', () => {
            socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
            upstream.pipe(socket).pipe(upstream);
          });
          upstream.on('error', () => socket.destroy());
          socket.on('error', () => upstream.destroy());
        });
        const proxyPort = await listen(proxy as never);
        vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
        vi.stubEnv('NO_PROXY', '');
        vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${proxyPort}`);
        expect(await textOf((await httpRequest('https://release.example/x')).body)).toBe('secret');
        expect(tunnels).toEqual(['release.example:443']);
        proxy.closeAllConnections();
        proxy.close();
      },
      () => ({ status: 200, body: 'secret' }),
    ));
});

test('a user and password in an address become authorization and never show', async () => {
  const server = await startServer();
  server.on('/x', { body: 'ok' });
  const address = server.url.replace('//', '//user:p%40ss@');
  await ask(`${address}/x`, []);
  expect(server.requests[0]?.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  await server.close();
  const refused = await errorOf(ask(`${address}/x`, []));
  expect(refused.message).toContain('the connection was refused');
  expect(refused.message).not.toContain('p%40ss');
  expect(redact('https://x.example/a?X-Amz-Signature=abc&b=1')).toBe(
    'https://x.example/a?X-Amz-Signature=***&b=1',
  );
});

test('a host that is not known is said so', () => {
  const error = connectionError(
    'https://nowhere.example/',
    Object.assign(new Error('x'), { code: 'ENOTFOUND' }),
  );
  expect(error).toMatchObject({
    code: 'network',
    message: 'https://nowhere.example/: the host name is not known',
  });
});

test.each([
  ['CERT_NOT_YET_VALID', 'is not yet valid'],
  ['CERT_HAS_EXPIRED', 'has expired'],
])('%s may be the fault of the clock, so its time is said', (code, what) => {
  const error = Object.assign(new Error('x'), { code });
  expect(
    connectionError('https://me:secret@here.example/', error, new Date('1970-01-01T00:00:12Z')),
  ).toMatchObject({
    code: 'network',
    message: `https://***@here.example/: the server's certificate ${what} by this machine's clock, which says 1970-01-01 00:00 UTC`,
    hint: 'set the clock if that is not the time; if it is, the server needs a new certificate',
  });
});

test('waits grow exponentially up to half a minute and spread', () => {
  const clock = instantClock();
  expect([1, 2, 3, 4, 9].map((failures) => backOff(failures, clock))).toEqual([375, 750, 1500, 3000, 22_500]);
  expect(backOff(1, { ...clock, random: () => 0 })).toBe(250);
});

test.each([
  ['12', 12_000],
  ['Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is %s ms', (header, ms) => {
  expect(retryAfterMs(header, instantClock())).toBe(ms);
});

test('a body that the other side does not take is given up, like a download that stands still', async () => {
  const open = new Set<Socket>();
  const server = createTcp((socket) => {
    open.add(socket.pause());
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1 << 20);
  }
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const error = await errorOf(
    httpRequest(address, { method: 'PUT', body: endless(), stallMs: 300 }).catch((cause) => {
      throw connectionError(address, cause);
    }),
  );
  for (const socket of open) socket.destroy();
  server.close();
  expect(error.message).toContain('nothing came for too long');
});
