import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DatedServer, datedServer } from '../dated-server.ts';
import { type FakeNode, fakeImage, fakeNode, inputFor, nothingHalfWritten } from './fake-node.ts';

const image = fakeImage(1, false);
let node: FakeNode;
let server: DatedServer;

beforeEach(async () => {
  node = await fakeNode();
  server = await datedServer('is valid', image);
  const url = `${server.url}/x.raw`;
  await node.activate(inputFor(image, url, { caCertificatePem: server.authorities }));
  await mkdir(node.paths.runtime, { recursive: true });
  await writeFile(join(node.paths.runtime, 'ca.pem'), server.authorities);
});
afterEach(async () => {
  await nothingHalfWritten(node);
  await server.close();
  await node.remove();
});

test.each([
  ['is not yet valid', '1970-01-01 00:00 UTC'],
  ['has expired', '2061-05-05 05:05 UTC'],
] as const)(
  'a server certificate that %s by the node’s clock is one line with its time, until the clock is set',
  async (dated, time) => {
    await server.show(dated);
    await node.set('date', `#!/bin/sh\nexec /bin/date -d '${time}' "$@"\n`);
    await chmod(join(node.root, 'stub/date'), 0o755);
    const running = node.command('run');
    await expect
      .poll(() => readFile(join(node.paths.runtime, 'state'), 'utf8').catch(() => ''), { timeout: 60_000 })
      .toMatch(/(waiting|working) [1-9]/);
    expect(node.merged()).toBe(false);
    await server.show('is valid');
    const { code, said } = await running;
    expect(code, said).toBe(0);
    expect(node.merged()).toBe(true);
    const lines = said.split('\n').filter((line) => line.includes('certificate'));
    expect(lines[0]).toBe(
      `sextant: ${server.url}/x.raw: the server's certificate ${dated} by this node's clock, which says ${time}; set the clock; if it is right, renew the certificate; next try in 0 s`,
    );
    expect(new Set(lines).size).toBe(1);
  },
);
