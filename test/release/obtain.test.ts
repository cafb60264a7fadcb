import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checksumsText } from '../../src/release/checksums.ts';
import { releaseFrom } from '../../src/release/obtain.ts';
import { sha256 } from '../../src/support/files.ts';
import { silent } from '../../src/support/progress.ts';
import { startServer, type TestServer } from '../sources/server.ts';

const FILES = {
  'release.json': '{"name": "provider-kairos"}',
  'provider-kairos-v1.36.3+k3s1-amd64.sysext.raw': 'image',
};
let folder: string;
let server: TestServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-obtain-'));
  server = await startServer();
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const context = () => ({ cache: folder, progress: silent, signal: new AbortController().signal });
const at = (name: string) => `/v1/${encodeURIComponent(name)}`;

function serve(files: Readonly<Record<string, string>>, listed = files): void {
  for (const [name, body] of Object.entries(files)) server.on(at(name), { body });
  const digests = Object.fromEntries(Object.entries(listed).map(([name, text]) => [name, sha256(text)]));
  server.on(at('SHA256SUMS'), { body: checksumsText(digests) });
}

test('a folder is taken as it is', async () => {
  expect(await releaseFrom(folder, context())).toBe(folder);
});

test('a release at an address is fetched once, by its folder or its release.json', async () => {
  serve(FILES);
  const fetched = await releaseFrom(`${server.url}/v1/`, context());
  expect((await readdir(fetched)).sort()).toEqual(['SHA256SUMS', ...Object.keys(FILES)].sort());
  for (const [name, text] of Object.entries(FILES)) {
    expect(await readFile(join(fetched, name), 'utf8')).toBe(text);
  }
  expect(await releaseFrom(`${server.url}/v1/release.json`, context())).toBe(fetched);
  for (const name of Object.keys(FILES)) expect(server.of(at(name))).toHaveLength(1);
});

test('a file that is not what the checksums say is refused, and nothing is kept', async () => {
  serve({ ...FILES, 'release.json': 'another' }, FILES);
  await expect(releaseFrom(`${server.url}/v1`, context())).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringContaining(at('release.json')),
  });
  expect((await readdir(join(folder, 'built'))).filter((name) => !name.startsWith('.'))).toEqual([]);
});

test.each([
  ['a list without release.json', { 'index.html': 'page' }, 'there is no release here'],
  ['a name outside the folder', { '../release.json': '{}' }, 'malformed line'],
])('%s is refused', async (_, files, message) => {
  serve(files as Record<string, string>);
  await expect(releaseFrom(`${server.url}/v1`, context())).rejects.toThrow(message);
});

test('a page in the place of the checksums is refused', async () => {
  server.on(at('SHA256SUMS'), { body: '<html>' });
  await expect(releaseFrom(`${server.url}/v1`, context())).rejects.toThrow(
    `${server.url}/v1/SHA256SUMS: malformed line: <html>`,
  );
});
