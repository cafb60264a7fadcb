import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { curlText } from '../../../src/node/download/curl.ts';
import { obtainImage, removeStaleParts, requireRoom } from '../../../src/node/download/obtain.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import type { ExtensionFile } from '../../../src/node/model/types.ts';
import { failureOf } from '../failure-of.ts';
import { place, realPrograms, rootedHost } from '../rooted.ts';
import { startWorkerServer, type WorkerServer } from '../worker-server.ts';
import { sha256 } from './example.ts';

const image = Buffer.alloc(300_000, 'extension ');
const file: ExtensionFile = {
  name: 'provider-kairos',
  sha256: sha256(image),
  rootHash: 'c'.repeat(64),
  size: image.length,
};
const folder = `/var/lib/kairos/extensions/sextant/${file.sha256}`;
let server: WorkerServer;
let root: string;
let host: Host;
let slept: number[];
beforeAll(async () => {
  server = await startWorkerServer();
});
afterAll(() => server.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sextant-obtain-'));
  realPrograms(root, ['curl', 'sha256sum']);
  place(root, '/run/sextant/x', '');
  slept = [];
  host = { ...rootedHost(root), sleep: (seconds) => void slept.push(seconds) };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const lines: string[] = [];
const obtain = (path: string, from: Host = host) => {
  lines.length = 0;
  obtainImage(from, file, { kind: 'address', place: `${server.url}${path}` }, (line) => lines.push(line));
};
const stored = () => readFileSync(`${root}${storeFile(file)}`);
const inFolder = () => (existsSync(`${root}${folder}`) ? readdirSync(`${root}${folder}`) : []);

describe('an image comes into the store', () => {
  test('whole, and is not fetched a second time', async () => {
    await server.on('/a', { body: image });
    obtain('/a');
    expect(stored().equals(image)).toBe(true);
    obtain('/a');
    expect(lines[0]).toContain('is there already, and whole');
    expect((await server.of('/a')).length).toBe(1);
    expect(inFolder()).toEqual(['provider-kairos.sysext.raw']);
  });

  test('from where it was cut off, by itself', async () => {
    await server.on('/cut', { body: image, cutAfter: 100_000 }, { body: image });
    obtain('/cut');
    expect(stored().equals(image)).toBe(true);
    const requests = await server.of('/cut');
    expect(requests.map(({ range }) => range?.replace(/\d+/, 'N'))).toEqual([undefined, 'bytes=N-']);
    expect(slept).toEqual([2]);
  });

  test('after the pause that a server asks for', async () => {
    const later = (seconds: string) => ({ status: 429, headers: { 'retry-after': seconds } });
    await server.on('/later', later('7'), later('Fri, 02 Jan 2026 03:05:05 GMT'), { body: image });
    obtain('/later');
    expect(stored().equals(image)).toBe(true);
    expect(slept).toEqual([7, 5]);
    expect(lines[1]).toBe(`${server.url}/later: the server wants fewer requests (429); again in 7 s`);
  });

  test('anew from a server that cannot continue', async () => {
    await server.on('/whole', { body: image, noRanges: true });
    place(root, `${folder}/.part`, image.subarray(0, 1000));
    obtain('/whole');
    expect(stored().equals(image)).toBe(true);
    expect(lines.some((line) => line.includes('cannot continue'))).toBe(true);
  });

  test('from a folder', () => {
    place(root, '/opt/stick/image', image);
    obtainImage(host, file, { kind: 'file', place: '/opt/stick/image' }, () => {});
    expect(stored().equals(image)).toBe(true);
  });

  test('in place of a file there that is damaged', async () => {
    await server.on('/a', { body: image });
    const bad = Buffer.from(image);
    bad[7] = 0;
    place(root, storeFile(file), bad);
    obtain('/a');
    expect(stored().equals(image)).toBe(true);
  });
});

describe('nothing stays under the final name, and the reason is said, when', () => {
  test('the bytes are others', async () => {
    const other = Buffer.alloc(image.length, 'other ');
    await server.on('/other', { body: other });
    const { code, message } = failureOf(() => obtain('/other'));
    expect(code).toBe('verification');
    expect(message).toContain(`SHA-256 ${file.sha256} expected, got ${image.length} with ${sha256(other)}`);
    expect(inFolder()).toEqual([]);
  });

  test('there are more bytes than there should be', async () => {
    await server.on('/long', { body: Buffer.alloc(image.length * 2) });
    expect(failureOf(() => obtain('/long')).message).toContain('larger than the release says');
    expect(inFolder()).toEqual([]);
  });

  test('the server has no such file, at once', async () => {
    const { message, hint } = failureOf(() => obtain('/missing'));
    expect(message).toContain('/missing: the server has no such file (404)');
    expect(hint).toBe('check the version or address');
    expect(slept).toEqual([]);
  });

  test('the server is out of order, after the last try', async () => {
    await server.on('/busy', { status: 503 });
    expect(failureOf(() => obtain('/busy')).message).toContain('the server answers 503');
    expect(slept).toEqual([2, 5, 15, 30]);
  });

  test('the server wants fewer requests, for longer than anyone waits', async () => {
    await server.on('/much-later', { status: 429, headers: { 'retry-after': '3600' } });
    const { code, message, hint } = failureOf(() => obtain('/much-later'));
    expect([code, message]).toEqual([
      'network',
      `${server.url}/much-later: the server wants fewer requests (429)`,
    ]);
    expect(hint).toBe('run the same command again in 3600 s, as it asks; what has arrived is kept');
    expect(slept).toEqual([]);
  });

  test('the connection breaks again and again; what arrived is kept for later', async () => {
    await server.on('/cuts', { body: image, cutAfter: 1000 });
    expect(failureOf(() => obtain('/cuts')).hint).toContain('goes on from there');
    expect(inFolder()).toEqual(['.part']);
  });

  test('the disk is full', async () => {
    await server.on('/a', { body: image });
    const full: Host = {
      ...host,
      rename: () => {
        throw new Error('disk full');
      },
    };
    expect(() => obtain('/a', full)).toThrow('disk full');
    expect(inFolder()).toEqual(['.part']);
  });

  test('it is missing beside its release, or of another size', () => {
    const from = (path: string) => () => obtainImage(host, file, { kind: 'file', place: path }, () => {});
    expect(failureOf(from('/opt/none')).message).toBe(
      '/opt/none: there is no such file beside the release.json',
    );
    place(root, '/opt/short', 'x');
    expect(failureOf(from('/opt/short')).message).toBe('/opt/short: has 1 bytes, its release says 300000');
  });
});

test('room is asked for what is still to come, with a margin', () => {
  const room = (free: number): Host => ({ ...host, space: () => ({ free, total: 1e9, freeFiles: 1000 }) });
  const margin = 64 * 1024 * 1024;
  requireRoom(room(margin + file.size), file, 0);
  place(root, `${folder}/.part`, image.subarray(0, 100_000));
  requireRoom(room(margin + 200_000), file, 0);
  expect(failureOf(() => requireRoom(room(margin), file, 50e6)).message).toBe(
    '/var/lib/kairos/extensions/sextant: the extension and the snapshot needs 117 MB free, 67 MB are',
  );
});

test('unfinished downloads of other images go, with their folders', () => {
  const other = 'f'.repeat(64);
  place(root, `/var/lib/kairos/extensions/sextant/${other}/.part`, 'x');
  place(root, `${folder}/.part`, 'x');
  writeFileSync(`${root}/var/lib/kairos/extensions/sextant/note`, 'mine');
  removeStaleParts(host, file.sha256);
  expect(readdirSync(`${root}/var/lib/kairos/extensions/sextant`).sort()).toEqual(
    [file.sha256, 'note'].sort(),
  );
});

test('a text is asked for again after the pause that a server asks for, and not after hours', async () => {
  const later = (seconds: string) => ({ status: 429, headers: { 'retry-after': seconds } });
  await server.on('/text-soon', later('1'), { body: 'hello' });
  expect(curlText(host, `${server.url}/text-soon`, 100)).toBe('hello');
  await server.on('/text-later', later('3600'));
  const { message, hint } = failureOf(() => curlText(host, `${server.url}/text-later`, 100));
  expect(message).toBe(`${server.url}/text-later: the server wants fewer requests (429)`);
  expect(hint).toContain('in 3600 s');
  expect(await server.of('/text-later')).toHaveLength(1);
});

test('a text is fetched through the proxy that is set, and limited', async () => {
  await server.on('/text', { body: 'hello' });
  await server.on('http://elsewhere.invalid/text', { body: 'by proxy' });
  expect(curlText(host, `${server.url}/text`, 100)).toBe('hello');
  const proxied: Host = { ...host, env: (name) => (name === 'http_proxy' ? server.url : undefined) };
  expect(curlText(proxied, 'http://elsewhere.invalid/text', 100)).toBe('by proxy');
  expect(failureOf(() => curlText(host, `${server.url}/text`, 3)).code).toBe('verification');
  expect(readdirSync(`${root}/run/sextant`)).toEqual(['x']);
});
