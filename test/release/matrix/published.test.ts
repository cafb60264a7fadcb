import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checksumsText } from '../../../src/release/checksums.ts';
import { publishedState } from '../../../src/release/matrix/published.ts';
import { sha256 } from '../../../src/support/files.ts';
import { silent } from '../../../src/support/progress.ts';
import { startServer, type TestServer } from '../../sources/server.ts';

const BUILD = 'b'.repeat(64);
const RELEASE = JSON.stringify({ inputs: { build: BUILD }, images: [{ file: 'a.raw' }] });
const SUMS = checksumsText({ 'release.json': sha256(RELEASE), 'a.raw': 'a'.repeat(64) });

let server: TestServer;
let folder: string;
const context = () => ({ cache: folder, progress: silent, signal: new AbortController().signal });
beforeEach(async () => {
  server = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'sextant-published-'));
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ['the very release', RELEASE, SUMS, { state: 'unchanged' }],
  ['nothing', undefined, undefined, { state: 'absent' }],
  [
    'a release whose sums are not there yet',
    RELEASE,
    undefined,
    { state: 'other', why: 'it has no SHA256SUMS' },
  ],
  [
    'a release of other inputs',
    RELEASE.replace(BUILD, 'c'.repeat(64)),
    checksumsText({
      'release.json': sha256(RELEASE.replace(BUILD, 'c'.repeat(64))),
      'a.raw': 'a'.repeat(64),
    }),
    { state: 'other', why: 'its inputs were others' },
  ],
  [
    'sums of another release: half of a new one is there',
    RELEASE,
    checksumsText({ 'release.json': 'd'.repeat(64), 'a.raw': 'a'.repeat(64) }),
    { state: 'other', why: 'its SHA256SUMS is of another release' },
  ],
  [
    'sums without an image',
    RELEASE,
    checksumsText({ 'release.json': sha256(RELEASE) }),
    { state: 'other', why: 'its SHA256SUMS lacks a.raw' },
  ],
  ['a login page', '<html>', '<html>', { state: 'other', why: 'its release.json or SHA256SUMS is none' }],
])('%s, in a folder and at an address', async (_name, release, sums, expected) => {
  const files = { 'release.json': release, SHA256SUMS: sums };
  for (const [name, text] of Object.entries(files)) {
    if (text === undefined) continue;
    await writeFile(join(folder, name), text);
    server.on(`/k8s/${name}`, { body: text });
  }
  expect(await publishedState(folder, BUILD, context())).toEqual(expected);
  expect(await publishedState(`${server.url}/k8s/`, BUILD, context())).toEqual(expected);
});

test('a server that does not answer makes it unknown, and says which', async () => {
  const { url } = server;
  await server.close();
  const found = await publishedState(url, BUILD, context());
  expect(found).toMatchObject({ state: 'unknown', why: expect.stringContaining(url) });
  server = await startServer();
});

test('an image is never asked for', async () => {
  server.on('/release.json', { body: RELEASE });
  server.on('/SHA256SUMS', { body: SUMS });
  await publishedState(server.url, BUILD, context());
  expect(server.requests.map(({ path }) => path)).toEqual(['/release.json', '/SHA256SUMS']);
});
