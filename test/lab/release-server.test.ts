import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ReleaseServer, serveRelease } from '../../src/lab/release-server.ts';

const content = randomBytes(1024 * 1024 + 7);
let folder: string;
let server: ReleaseServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  await writeFile(join(folder, 'a+b.raw'), content);
  await writeFile(join(folder, 'SHA256SUMS'), 'text');
  server = await serveRelease({ release: folder });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

interface Got {
  readonly status: number;
  readonly body: Buffer;
  readonly whole: boolean;
}

function get(path: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: server.port, path, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      const end = (whole: boolean) =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces), whole });
      response.on('end', () => end(true));
      response.on('error', () => end(false));
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('a file, and a part of it', async () => {
  expect((await get('/release/a%2Bb.raw')).body.equals(content)).toBe(true);
  const part = await get('/release/a%2Bb.raw', { range: 'bytes=1000-' });
  expect(part.status).toBe(206);
  expect(part.body.equals(content.subarray(1000))).toBe(true);
  expect((await get('/release/a%2Bb.raw', { range: `bytes=${content.length}-` })).status).toBe(416);
});

test.each(['/release/other', '/other/a%2Bb.raw', '/release/..%2F..%2Fetc%2Fpasswd', '/', '/release/'])(
  'nothing but the files of its folders: %s',
  async (path) => {
    expect((await get(path)).status).toBe(404);
  },
);

test('breaks off where it is told to, also when resumed', async () => {
  server.behave({ kind: 'breaks-off', fraction: 0.6 });
  const first = await get('/release/a%2Bb.raw');
  expect(first.whole).toBe(false);
  expect(first.body.length).toBeLessThanOrEqual(content.length * 0.6);
  const second = await get('/release/a%2Bb.raw', { range: `bytes=${first.body.length}-` }).catch(
    () => undefined,
  );
  expect(second?.whole ?? false).toBe(false);
});

test('exactly one byte is wrong', async () => {
  server.behave({ kind: 'wrong-byte' });
  const { body } = await get('/release/a%2Bb.raw');
  expect(body.length).toBe(content.length);
  expect([...body.keys()].filter((at) => body[at] !== content[at])).toEqual([Math.floor(content.length / 2)]);
});

test('a page instead of an image; other files stay right', async () => {
  server.behave({ kind: 'html-page' });
  const { status, body } = await get('/release/a%2Bb.raw');
  expect(status).toBe(200);
  expect(body.toString()).toContain('<!doctype html>');
  expect((await get('/release/SHA256SUMS')).body.toString()).toBe('text');
});

test('every request is in the log, with what it met', async () => {
  await get('/release/SHA256SUMS');
  server.behave({ kind: 'html-page' });
  await get('/release/a%2Bb.raw', { range: 'bytes=5-' });
  expect(server.requests).toEqual([
    { method: 'GET', path: '/release/SHA256SUMS', range: undefined, behaviour: 'right' },
    { method: 'GET', path: '/release/a%2Bb.raw', range: 'bytes=5-', behaviour: 'html-page' },
  ]);
});
