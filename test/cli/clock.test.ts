import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DatedServer, datedServer } from '../dated-server.ts';
import { exampleRelease } from '../release/publish/example.ts';
import { type Ended, startSextant } from '../sextant.ts';

const HOST = 'registry.example';
let folder: string;
let server: DatedServer;
let proxy: Server;
let env: Readonly<Record<string, string>>;

/** Every host is the one server, through a proxy: registries on this machine itself are asked without TLS. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-clock-'));
  server = await datedServer('is valid', '{}', HOST);
  const authorities = join(folder, 'authorities.pem');
  writeFileSync(authorities, server.authorities);
  proxy = createServer().on('connect', (_, socket) => {
    const upstream = connect(server.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  env = { HTTPS_PROXY: address, https_proxy: address, NO_PROXY: '', NODE_EXTRA_CA_CERTS: authorities };
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function expectOneLine({ code, stdout, stderr }: Ended, beginning: string, what: string): void {
  expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
  const lines = stderr.trim().split('\n');
  expect(lines.at(-2)).toMatch(/which says \d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
  expect(lines.at(-2)).toContain(`${beginning}: the server's certificate ${what} by this machine's clock`);
  expect(lines.at(-1)).toContain('set the clock if that is not the time');
}

describe.each(['is not yet valid', 'has expired'] as const)(
  'a server certificate that %s by the clock of this machine is one line with its time',
  (what) => {
    test('for a catalog', async () => {
      await server.show(what);
      const ended = await startSextant(['catalog', 'show', `https://${HOST}/k8s`], { env }).ended;
      expectOneLine(ended, `https://${HOST}/k8s/sextant-catalog.json`, what);
    });

    test('for a registry that is published to', async () => {
      await server.show(what);
      const release = await exampleRelease(join(folder, `release-${what.length}`));
      const ended = await startSextant(['publish', `oci://${HOST}/acme/k8s`, release], { env }).ended;
      expectOneLine(ended, `https://${HOST}/v2/acme/k8s/manifests/v1.36.3-k3s0-amd64`, what);
    });
  },
);
