import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { releasePlace } from '../../../src/node/download/address.ts';
import { obtainImage } from '../../../src/node/download/obtain.ts';
import { blobAddress, registryPlace, registryRelease } from '../../../src/node/download/registry.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import type { Behaviour } from '../../sources/server.ts';
import { failureOf } from '../failure-of.ts';
import { place, realPrograms, rootedHost } from '../rooted.ts';
import { startWorkerServer, type WorkerServer } from '../worker-server.ts';
import { releaseText, sha256 } from './example.ts';

const image = Buffer.alloc(300_000, 'extension ');
const file = {
  name: 'provider-kairos',
  sha256: sha256(image),
  rootHash: 'c'.repeat(64),
  size: image.length,
};
let server: WorkerServer;
let root: string;
let host: Host;
let slept: number[];
let registry: string;
let repositories = 0;
let base: string;
let reference: string;
beforeAll(async () => {
  server = await startWorkerServer();
  registry = server.url.replace('http://', '');
});
afterAll(() => server.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sextant-node-registry-'));
  realPrograms(root, ['curl', 'sha256sum']);
  place(root, '/run/sextant/x', '');
  slept = [];
  host = { ...rootedHost(root), sleep: (seconds) => void slept.push(seconds) };
  repositories += 1;
  base = `/v2/acme/k8s${repositories}`;
  reference = `oci://${registry}/acme/k8s${repositories}:v1.33.5-k3s1`;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const release = releaseText(image);
const index = JSON.stringify({ schemaVersion: 2, manifests: [] });
const manifest = (changes: object = {}) =>
  JSON.stringify({
    subject: { digest: `sha256:${sha256(index)}` },
    layers: [
      {
        digest: `sha256:${'0'.repeat(64)}`,
        annotations: { 'org.opencontainers.image.title': 'activation.yaml' },
      },
      {
        digest: `sha256:${sha256(release)}`,
        annotations: { 'org.opencontainers.image.title': 'release.json' },
      },
    ],
    ...changes,
  });

/** What `sextant publish` leaves; `first` answers the first request of each path instead. */
async function publish(first: readonly Behaviour[] = [], changes: object = {}): Promise<void> {
  await server.on(`${base}/manifests/v1.33.5-k3s1`, ...first, { body: index });
  await server.on(`${base}/manifests/v1.33.5-k3s1-release`, { body: manifest(changes) });
  await server.on(`${base}/blobs/sha256:${sha256(release)}`, { body: release });
  await server.on(`${base}/blobs/sha256:${file.sha256}`, { body: image });
  await server.on(`${base}/tags/list`, ...first, { body: '{}' });
}
const challenge = (scheme: string): Behaviour => ({
  status: 401,
  headers: {
    'www-authenticate':
      scheme === 'Basic'
        ? 'Basic realm="r"'
        : `Bearer realm="${server.url}/token${repositories}",service="r.example",scope="repository:acme/k8s:pull"`,
  },
});
const obtain = () =>
  obtainImage(host, file, { kind: 'registry', place: blobAddress(reference, file.sha256) }, () => {});
const login = () =>
  place(
    root,
    '/root/.docker/config.json',
    JSON.stringify({ auths: { [registry]: { auth: Buffer.from('node:secret').toString('base64') } } }),
  );

describe('a release in a registry', () => {
  test('is read by its digests, and its image comes into the store', async () => {
    await publish();
    expect(registryRelease(host, reference)).toBe(release);
    obtain();
    expect(readFileSync(`${root}${storeFile(file)}`).equals(image)).toBe(true);
    expect(readdirSync(`${root}/run/sextant`)).toEqual(['x']);
  });

  test('that is public after a token for anyone is read with one', async () => {
    await publish([challenge('Bearer')]);
    await server.on(`/token${repositories}`, { body: JSON.stringify({ token: 'abc' }) });
    expect(registryRelease(host, reference)).toBe(release);
    const asked = await server.of(`/token${repositories}`);
    expect(asked[0]?.path).toContain('service=r.example&scope=repository%3Aacme%2Fk8s%3Apull');
    expect(asked[0]?.authorization).toBeUndefined();
    const [, , last] = await server.of(`${base}/manifests/v1.33.5-k3s1`);
    expect(last).toBeUndefined();
    expect((await server.of(`${base}/blobs/sha256:${sha256(release)}`))[0]?.authorization).toBe('Bearer abc');
  });

  test.each(['Basic', 'Bearer'])("with a login is read with docker's, by %s", async (scheme) => {
    login();
    await publish([challenge(scheme)]);
    await server.on(`/token${repositories}`, { body: JSON.stringify({ access_token: 'abc' }) });
    registryRelease(host, reference);
    const [seen] =
      scheme === 'Basic'
        ? (await server.of(`${base}/manifests/v1.33.5-k3s1`)).slice(1)
        : await server.of(`/token${repositories}`);
    expect(seen?.authorization).toBe(`Basic ${Buffer.from('node:secret').toString('base64')}`);
  });

  test('gets a new token for each attempt at its image, which goes on where it was cut', async () => {
    await publish([challenge('Bearer')]);
    await server.on(`${base}/tags/list`, challenge('Bearer'));
    await server.on(`/token${repositories}`, { body: '{"token":"one"}' }, { body: '{"token":"two"}' });
    await server.on(
      `${base}/blobs/sha256:${file.sha256}`,
      { body: image, cutAfter: 100_000 },
      { body: image },
    );
    obtain();
    expect(slept).toEqual([2]);
    const seen = await server.of(`${base}/blobs/sha256:${file.sha256}`);
    expect(seen.map(({ authorization, range }) => [authorization, range?.replace(/\d+/, 'N')])).toEqual([
      ['Bearer one', undefined],
      ['Bearer two', 'bytes=N-'],
    ]);
  });

  test('keeps its login at home when the registry redirects to another host', async () => {
    login();
    const elsewhere = await startWorkerServer();
    await publish([challenge('Basic')]);
    await server.on(`${base}/tags/list`, challenge('Basic'));
    const other = `${elsewhere.url.replace('127.0.0.1', 'localhost')}/object`;
    await server.on(`${base}/blobs/sha256:${file.sha256}`, { redirect: other });
    await elsewhere.on('/object', { body: image });
    obtain();
    expect((await elsewhere.of('/object')).map(({ authorization }) => authorization)).toEqual([undefined]);
    await elsewhere.close();
  });
});

describe('is refused in one line', () => {
  test('what needs a login that is not there, or a wrong one', async () => {
    await publish();
    for (const scheme of ['Basic', 'Bearer']) {
      await server.on(`${base}/manifests/v1.33.5-k3s1`, challenge(scheme));
      await server.on(`/token${repositories}`, { status: 403 });
      const { code, message, hint } = failureOf(() => registryRelease(host, reference));
      expect(code).toBe('network');
      expect(message).toMatch(/does not let this node read the release \(40[13]\)$/);
      expect(hint).toContain('/root/.docker/config.json');
    }
  });

  test('a tag that is moved while it is read', async () => {
    await publish([], { subject: { digest: `sha256:${'1'.repeat(64)}` } });
    expect(failureOf(() => registryRelease(host, reference))).toMatchObject({ code: 'verification' });
  });

  test('bytes that are not what their digest says', async () => {
    await publish();
    await server.on(`${base}/blobs/sha256:${sha256(release)}`, { body: 'other' });
    expect(failureOf(() => registryRelease(host, reference)).message).toContain(
      'release.json is not what its digest says',
    );
  });

  test.each([
    ['no release.json', { layers: [] }],
    ['layers that are none', { layers: 'x' }],
    [
      'a digest that is none',
      { layers: [{ digest: '../x', annotations: { 'org.opencontainers.image.title': 'release.json' } }] },
    ],
  ])('%s', async (_, changes) => {
    await publish([], changes);
    expect(failureOf(() => registryRelease(host, reference)).message).toContain(
      'its files hold no release.json',
    );
  });

  test('what is not there', async () => {
    expect(failureOf(() => registryRelease(host, reference)).message).toContain(
      'the server has no such file (404)',
    );
  });

  test.each([
    'oci://k8s',
    'oci://acme/k8s:v1',
    'oci://r.example/k8s',
    'oci://r.example/k8s@sha256:x',
    'oci://r.example/../x:v1',
    'oci://r.example/k8s:v1 --x',
  ])('%s', (text) => {
    expect(failureOf(() => registryPlace(text))).toMatchObject({ code: 'usage' });
  });
});

describe('--to means', () => {
  const known = { url: 'oci://r.example/acme/k8s:v1.33.5-k3s1', version: 'v1.33.5+k3s1' };
  test.each([
    ['a release in a registry', 'oci://r.example/a:v1', 'oci://r.example/a:v1'],
    ['the known one, without it', undefined, known.url],
    ['another version of it', 'v1.33.6+k3s2', 'oci://r.example/acme/k8s:v1.33.6-k3s2'],
    ['a version without its v', '1.33.6+k3s2', 'oci://r.example/acme/k8s:v1.33.6-k3s2'],
  ])('%s', (_, to, release) => {
    expect(releasePlace(to, known)).toEqual({ kind: 'registry', release });
  });

  test('nothing where the known tag holds no version', () => {
    const message = failureOf(() =>
      releasePlace('v2.0.0', { ...known, url: 'oci://r.example/a:latest' }),
    ).message;
    expect(message).toContain('has no version in it that could be exchanged');
  });

  test('encrypted, but on loopback and where it says otherwise', () => {
    expect(registryPlace('oci://r.example/a:v1').base).toBe('https://r.example/v2/a');
    expect(registryPlace('oci://127.0.0.1:5000/a:v1').base).toBe('http://127.0.0.1:5000/v2/a');
    expect(registryPlace('oci+http://10.0.2.2:5000/a/b:v1').base).toBe('http://10.0.2.2:5000/v2/a/b');
  });
});
