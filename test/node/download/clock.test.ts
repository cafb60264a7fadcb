import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readCatalog } from '../../../src/node/catalog/read.ts';
import { curlText, networkFailure } from '../../../src/node/download/curl.ts';
import { obtainImage } from '../../../src/node/download/obtain.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { type Dated, type DatedServer, datedServer } from '../../dated-server.ts';
import { failureOf } from '../failure-of.ts';
import { place, realPrograms, rootedHost } from '../rooted.ts';
import { sha256 } from './example.ts';

const BODY = 'release';
let server: DatedServer;
let root: string;
let slept: number[];
beforeAll(async () => {
  server = await datedServer('is valid', BODY);
});
afterAll(() => server.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sextant-clock-'));
  realPrograms(root, ['curl', 'sha256sum']);
  slept = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A node that trusts the server's authority, and whose clock says `time`. */
async function nodeThatSees(dated: Dated, time: string): Promise<Host> {
  await server.show(dated);
  place(root, '/run/sextant/ca.pem', server.authorities);
  return {
    ...rootedHost(root),
    sleep: (seconds) => void slept.push(seconds),
    wallClock: () => Date.parse(time),
  };
}

describe.each([
  ['is not yet valid', '1970-01-01T00:00:12Z', '1970-01-01 00:00 UTC'],
  ['has expired', '2061-05-05T05:05:05Z', '2061-05-05 05:05 UTC'],
] as const)('a server certificate that %s by the clock of a node', (dated, time, shown) => {
  const line = (address: string) =>
    `${address}: the server's certificate ${dated} by this node's clock, which says ${shown}`;

  test('is one line with the time of that clock, and what to do', async () => {
    const host = await nodeThatSees(dated, time);
    const { code, message, hint } = failureOf(() => curlText(host, `${server.url}/release.json`, 1000));
    expect([code, message]).toEqual(['network', line(`${server.url}/release.json`)]);
    expect(hint).toContain('timedatectl set-time');
    expect(hint).toContain('has to be renewed');
    expect(hint).not.toContain('authority');
  });

  test('is the same line for a catalog', async () => {
    const host = await nodeThatSees(dated, time);
    const settings = { address: `${server.url}/sextant-catalog.json`, trust: undefined, mirror: undefined };
    const { message } = failureOf(() => readCatalog(host, settings));
    expect(message).toBe(line(settings.address));
  });

  test('is the same line for an image, said at once, and fetched when the clock is set', async () => {
    const host = await nodeThatSees(dated, time);
    const file = {
      name: 'provider-kairos',
      sha256: sha256(BODY),
      rootHash: 'c'.repeat(64),
      size: BODY.length,
    };
    const source = { kind: 'address', place: `${server.url}/image.raw` } as const;
    const obtain = () => obtainImage(host, file, source, () => {});
    expect(failureOf(obtain).message).toBe(line(source.place));
    expect(slept).toEqual([]);
    await server.show('is valid');
    obtain();
    expect(
      host.readText(`/var/lib/kairos/extensions/sextant/${file.sha256}/provider-kairos.sysext.raw`),
    ).toBe(BODY);
  });
});

test('a certificate of an authority that the node does not know has nothing to do with its clock', async () => {
  const host = await nodeThatSees('is valid', '2026-01-01T00:00:00Z');
  place(root, '/run/sextant/ca.pem', '');
  const { message, hint } = failureOf(() => curlText(host, `${server.url}/x`, 1000));
  expect(message).toBe(`${server.url}/x: the server's certificate is not trusted on this node`);
  expect(hint).toContain('authority');
});

test.each([
  ['SSL certificate problem: certificate is not yet valid', 'is not yet valid'],
  ['SSL certificate problem: certificate has expired', 'has expired'],
  ['server certificate not activated yet.', 'is not yet valid'],
  ['server certificate expiration date has passed.', 'has expired'],
  ['server verification failed: certificate has expired. (CAfile: /x CRLfile: none)', 'has expired'],
])("curl's words of OpenSSL and of GnuTLS are understood: %s", (said, expected) => {
  const { message } = networkFailure('https://example.org/x', {
    code: 60,
    status: 0,
    said,
    retryAfter: undefined,
    at: 0,
  });
  expect(message).toContain(`the server's certificate ${expected} by this node's clock`);
});
