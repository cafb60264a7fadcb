import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FOLLOWED, storeFile } from '../../../src/node/model/paths.ts';
import type { ExtensionFile, Generation, Records } from '../../../src/node/model/types.ts';
import { sha256 } from '../download/example.ts';
import { place } from '../rooted.ts';
import { startWorkerServer, type WorkerServer } from '../worker-server.ts';
import { type FakeNode, fakeNode, kubernetesRuns, merged, NAME, nothingHalfWritten } from './fake-node.ts';
import { type RealImage, realImages } from './images.ts';

let server: WorkerServer;
let old: RealImage;
let fresh: RealImage;
let node: FakeNode;
let now: ExtensionFile;
/** Seconds since the node started. */
let uptime: number;
beforeAll(async () => {
  server = await startWorkerServer();
  [old, fresh] = await realImages();
});
afterAll(() => server.close());
beforeEach(async () => {
  node = fakeNode();
  now = node.activated(old.bytes, old.rootHash);
  kubernetesRuns(node.root);
  node.adopted(now);
  place(node.root, FOLLOWED, `${now.sha256}\n`);
  uptime = 5000;
  await server.on('/new/image%2B1.raw', { body: fresh.bytes });
});
afterEach(() => node.remove());

/** What the activation's script gives for the new image, or the old one. */
const wish = (change: Readonly<Record<string, string>> = {}) => ({
  SEXTANT_NAME: NAME,
  SEXTANT_VERSION: 'v1.33.5+k3s1',
  SEXTANT_URL: `${server.url}/new/image%2B1.raw`,
  SEXTANT_SHA256: sha256(fresh.bytes),
  SEXTANT_ROOT_HASH: fresh.rootHash,
  SEXTANT_SIZE: String(fresh.bytes.length),
  ...change,
});
const wishForOld = () =>
  wish({ SEXTANT_VERSION: 'v1.33.4+k3s1', SEXTANT_SHA256: now.sha256, SEXTANT_ROOT_HASH: old.rootHash });
const newFile = (): ExtensionFile => ({
  name: NAME,
  sha256: sha256(fresh.bytes),
  rootHash: fresh.rootHash,
  size: fresh.bytes.length,
});
const follow = (env: Readonly<Record<string, string>> = wish()) =>
  node.run(['follow'], (host) => ({ ...host, uptime: () => uptime }), env);
const settled = () => readFileSync(`${node.root}${FOLLOWED}`, 'utf8').trim();
const nothingHappened = () => expect(node.calls()).toEqual([]);

/** A second pair with this operating system, in the store, and what runs now. */
function second(change: Partial<Generation>, boot: number): Records {
  const records = node.records();
  const [first] = records.generations as [Generation];
  place(node.root, storeFile(newFile()), fresh.bytes);
  const pair: Generation = { ...first, id: 2, files: [newFile()], kubernetes: 'v1.33.5+k3s1', ...change };
  const generations = [
    { ...first, ...(pair.state === 'good' ? { state: 'superseded' as const } : {}) },
    pair,
  ];
  const next: Records = {
    ...records,
    counter: 5,
    generations,
    wanted: pair.state === 'trying' ? 2 : null,
    boot: records.boot && { ...records.boot, generation: boot },
  };
  node.write(next);
  if (boot === 2) merged(node.root, 'v1.33.5+k3s1');
  return next;
}

describe('an activation file that was exchanged', () => {
  test('puts its release on trial, from its own address and nothing else, and the node restarts', () => {
    const { code, out, err } = follow();
    expect(err).not.toContain('error');
    expect(code).toBe(0);
    expect(out).toContain('Generation 2 (Kubernetes v1.33.5+k3s1');
    expect(node.records()).toMatchObject({ wanted: 2 });
    expect(node.records().generations.at(-1)).toMatchObject({ state: 'new', files: [newFile()] });
    const origin = storeFile(newFile()).replace(/raw$/, 'url');
    expect(readFileSync(`${node.root}${origin}`, 'utf8').trim()).toBe(`${server.url}/new/image%2B1.raw`);
    expect(node.calls().at(-1)).toBe('systemctl reboot');
    nothingHalfWritten(node);
  });

  test('may name a release in a registry: fetched there by its digest, and remembered', async () => {
    const registry = server.url.replace('http://', '');
    await server.on(`/v2/acme/k8s/blobs/sha256:${sha256(fresh.bytes)}`, { body: fresh.bytes });
    const place = `oci://${registry}/acme/k8s:v1.33.5-k3s1`;
    const { code, err } = follow(wish({ SEXTANT_URL: place }));
    expect(err).not.toContain('error');
    expect(code).toBe(0);
    expect(node.records()).toMatchObject({ wanted: 2 });
    const origin = storeFile(newFile()).replace(/raw$/, 'url');
    expect(readFileSync(`${node.root}${origin}`, 'utf8').trim()).toBe(place);
  });

  test('is settled once its release runs, and asks for nothing again', () => {
    second({ state: 'trying', tries: 1 }, 2);
    expect(follow()).toMatchObject({ code: 0, out: '', err: '' });
    expect(settled()).toBe(newFile().sha256);
    second({ state: 'bad', turn: 0 }, 1);
    expect(follow()).toMatchObject({ code: 0, out: '', err: '' });
    nothingHappened();
  });

  test('is not followed to what was bad', () => {
    second({ state: 'bad', why: 'Kubernetes was not healthy', turn: 0 }, 1);
    const { code, err } = follow();
    expect(code).toBe(8);
    expect(err).toContain('is bad: Kubernetes was not healthy');
    expect(err).toContain('sextant-node upgrade --again');
    nothingHappened();
  });

  test('with the earlier release goes back to it, which needs no trial and no download', () => {
    second({ state: 'good', turn: 4 }, 2);
    place(node.root, FOLLOWED, newFile().sha256);
    const { code, out } = follow(wishForOld());
    expect(code).toBe(0);
    expect(out).toContain('Going back to generation 1');
    expect(node.records().generations.find(({ id }) => id === 1)?.state).toBe('good');
    expect(node.calls().at(-1)).toBe('systemctl reboot');
  });
});

describe('an activation file that stayed as it was', () => {
  test('asks for nothing, whatever a person asked of sextant-node since', () => {
    second({ state: 'good', turn: 4 }, 2);
    expect(follow(wishForOld())).toMatchObject({ code: 0, out: '', err: '' });
    nothingHappened();
  });

  test('is no wish on a node that never met one', () => {
    node.host.unlink(FOLLOWED);
    expect(follow()).toMatchObject({ code: 0, out: '', err: '' });
    expect(settled()).toBe(newFile().sha256);
    nothingHappened();
  });

  test('is nothing to a node without records', () => {
    node.host.unlink('/opt/sextant/records/generations.json');
    expect(follow()).toMatchObject({ code: 0, out: '', err: '' });
    nothingHappened();
  });
});

describe('what is not the moment', () => {
  const waits = (said: string) => {
    const before = node.durable();
    const { code, out } = follow();
    expect(out.replaceAll('\n', ' ')).toContain(said);
    expect(code).toBe(9);
    expect(follow(), 'said once').toMatchObject({ code: 9, out: '', err: '' });
    expect(node.durable()).toEqual(before);
    nothingHappened();
  };

  test('a trial that has no verdict yet', () => {
    second({ state: 'trying', tries: 1, files: [{ ...newFile(), sha256: 'e'.repeat(64) }] }, 2);
    waits('is on trial');
  });

  test('Kubernetes that is still coming up, but not for ever', () => {
    uptime = 40;
    waits('once the API server answers');
  });

  test('the passive system', () => {
    node.host.unlink('/run/cos/active_mode');
    place(node.root, '/run/cos/passive_mode', '1');
    const { code, err } = follow();
    expect(code).toBe(8);
    expect(err).toContain('this boot is of the passive system');
    nothingHappened();
  });

  test('a server that is away', () => {
    const result = follow(wish({ SEXTANT_URL: 'http://127.0.0.1:1/image.raw' }));
    expect(result.code).toBe(6);
    expect(node.records().wanted).toBeNull();
    nothingHalfWritten(node);
  });
});

describe('the maintenance window', () => {
  const window = (from: string) => {
    place(node.root, '/etc/sextant/settings.json', '{"window": {"start": "Sat 02:00", "minutes": 180}}');
    place(node.root, '/usr/bin/systemd-analyze', `#!/bin/sh\necho "    From now: ${from}"\n`, 0o755);
  };

  test('is waited for with the release fetched and verified, and asked for no more bytes meanwhile', () => {
    window('2h 13min left');
    const first = follow();
    expect(first.code).toBe(9);
    expect(first.out.replaceAll('\n', ' ')).toContain(
      'waits for the maintenance window (Sat 02:00, 180 min)',
    );
    expect(node.calls().filter((line) => line.startsWith('veritysetup'))).toHaveLength(1);
    expect(follow()).toMatchObject({ code: 9, out: '' });
    expect(node.calls()).toEqual([]);
    expect(node.records().wanted).toBeNull();
    window('38min ago');
    expect(follow().code).toBe(0);
    expect(node.records().wanted).toBe(2);
    expect(node.calls().at(-1)).toBe('systemctl reboot');
  });

  test('holds for going back as well', () => {
    second({ state: 'good', turn: 4 }, 2);
    place(node.root, FOLLOWED, newFile().sha256);
    window('1min left');
    expect(follow(wishForOld()).code).toBe(9);
    window('1min ago');
    expect(follow(wishForOld()).code).toBe(0);
  });

  test('is not waited for where nothing good runs', () => {
    const records = node.records();
    const [first] = records.generations as [Generation];
    node.write({ ...records, wanted: 1, generations: [{ ...first, state: 'trying', turn: 0 }] });
    window('2h 13min left');
    expect(follow().code).toBe(0);
  });
});

test('other bytes than the file names are not taken', async () => {
  await server.on('/new/image%2B1.raw', { body: Buffer.from(fresh.bytes.map((byte) => byte ^ 1)) });
  expect(follow().code).toBe(4);
  expect(node.records().wanted).toBeNull();
  nothingHalfWritten(node);
});

test('a first generation that never got Ready is replaced at once', () => {
  const records = node.records();
  const [first] = records.generations as [Generation];
  node.write({ ...records, wanted: 1, generations: [{ ...first, state: 'trying', turn: 0 }] });
  uptime = 40;
  expect(follow().code).toBe(0);
  expect(node.records().wanted).toBe(node.records().generations.at(-1)?.id);
  expect(node.calls().at(-1)).toBe('systemctl reboot');
});

test('without its environment it says how to do the same by hand', () => {
  expect(node.run(['follow'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('sextant-node upgrade'),
  });
});
