import { execFileSync } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ListedRelease } from '../../../src/node/catalog/parse.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import { makeSigner, type SigningFiles } from '../../image/fixture.ts';
import { catalogText, listed } from '../catalog/example.ts';
import { sha256 } from '../download/example.ts';
import { place, program } from '../rooted.ts';
import { startWorkerServer, type WorkerServer } from '../worker-server.ts';
import { type FakeNode, fakeNode, kubernetesRuns, NAME } from './fake-node.ts';
import { type RealImage, realImages } from './images.ts';

const MEMORY = '/opt/sextant/catalog.json';
const keys = mkdtempSync(join(tmpdir(), 'sextant-keys-'));
let server: WorkerServer;
let old: RealImage;
let fresh: RealImage;
let node: FakeNode;
let signer: SigningFiles;
let other: SigningFiles;
/** Each test has a folder of the server to itself. */
let count = 0;
let base = '';

beforeAll(async () => {
  server = await startWorkerServer();
  [old, fresh] = await realImages();
  signer = makeSigner(keys, 'catalog');
  other = makeSigner(keys, 'other');
});
afterAll(async () => {
  rmSync(keys, { recursive: true, force: true });
  await server.close();
});
beforeEach(() => {
  count += 1;
  base = `/catalog-${count}`;
  node = fakeNode();
  const now = node.activated(old.bytes, old.rootHash);
  kubernetesRuns(node.root);
  node.adopted(now);
  const script = readFileSync(`${node.root}/usr/bin/systemctl`, 'utf8').split('\n').slice(2).join('\n');
  program(node.root, 'systemctl', `[ "$1" != --version ] || echo "systemd 257 (257.8-1)"\n${script}`);
  place(node.root, storeFile(now).replace(/raw$/, 'url'), `${server.url}/v1.33.4+k3s1/image.sysext.raw`);
});
afterEach(() => node.remove());

const signature = (text: string, { key }: SigningFiles) =>
  sign('sha256', Buffer.from(text), createPrivateKey(readFileSync(key)));
/** The release of the new image, listed beside the catalog. */
const real = (version: string, more: Partial<ListedRelease> = {}): ListedRelease => {
  const image = {
    architecture: 'amd64',
    file: 'image.sysext.raw',
    size: fresh.bytes.length,
    sha256: sha256(fresh.bytes),
    rootHash: fresh.rootHash,
    signed: false,
  };
  return listed(version, { address: version, images: [image], ...more });
};
async function serve(
  serial: number,
  releases: readonly ListedRelease[],
  by: SigningFiles | null = signer,
): Promise<string> {
  const text = catalogText(serial, releases);
  await server.on(`${base}/sextant-catalog.json`, { body: Buffer.from(text) });
  if (by) await server.on(`${base}/sextant-catalog.json.sig`, { body: signature(text, by) });
  for (const { version } of releases)
    await server.on(`${base}/${version}/image.sysext.raw`, { body: fresh.bytes });
  return text;
}
const settings = (catalog: object) =>
  place(node.root, '/etc/sextant/settings.json', JSON.stringify({ catalog }));
const trusting = (trust = readFileSync(signer.certificate, 'utf8')) =>
  settings({ address: `${server.url}${base}`, trust });
const memory = () => JSON.parse(readFileSync(`${node.root}${MEMORY}`, 'utf8')).seen;

describe('upgrade with a catalog', () => {
  test('takes the newest release for this node, by its digests, and puts it on trial', async () => {
    await serve(41, [
      listed('v1.35.0+k3s1'),
      real('v1.34.2+k3s1'),
      listed('v1.34.3+k3s1', { yanked: 'breaks IPv6' }),
    ]);
    trusting();
    const { code, out, err } = node.run(['upgrade']);
    expect(err).not.toContain('error');
    expect(code).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'has serial 41, signed by a key this node trusts. It has v1.34.2+k3s1 for this node.',
    );
    expect(out.replaceAll(/\s+/g, ' ')).toContain('passed over v1.34.3+k3s1: yanked: breaks IPv6');
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'passed over v1.35.0+k3s1: from Kubernetes v1.33.4+k3s1 to v1.35.0+k3s1 skips',
    );
    expect(node.records().generations.at(-1)).toMatchObject({ kubernetes: 'v1.34.2+k3s1', state: 'new' });
    const stored = `${node.root}${storeFile({ name: NAME, sha256: sha256(fresh.bytes) })}`;
    expect(readFileSync(stored).equals(fresh.bytes)).toBe(true);
    expect(node.calls().at(-1)).toBe('systemctl reboot');
    // No release.json was asked for: the signed catalog says all of it.
    expect(await server.of(`${base}/v1.34.2+k3s1/release.json`)).toEqual([]);
  });

  test('--to 1.33 is the newest of that minor version, from a folder on a stick as well', async () => {
    const text = catalogText(3, [real('v1.34.2+k3s1'), real('v1.33.9+k3s1')]);
    place(node.root, '/media/stick/sextant-catalog.json', text);
    place(node.root, '/media/stick/sextant-catalog.json.sig', signature(text, signer));
    place(node.root, '/media/stick/v1.33.9+k3s1/image.sysext.raw', fresh.bytes);
    execFileSync('openssl', [
      'x509',
      '-in',
      signer.certificate,
      '-noout',
      '-pubkey',
      '-out',
      join(keys, 'catalog.pub'),
    ]);
    place(node.root, '/oem/catalog.pub', readFileSync(join(keys, 'catalog.pub')));
    settings({ address: '/media/stick', trust: '/oem/catalog.pub' });
    expect(node.run(['upgrade', '--to', '1.33'])).toMatchObject({ code: 0 });
    expect(node.records().generations.at(-1)?.kubernetes).toBe('v1.33.9+k3s1');
  });

  test('a release in a registry is fetched by its digest', async () => {
    const host = server.url.replace('http://', '');
    await serve(1, [real('v1.34.2+k3s1', { address: `oci://${host}/acme${base}:v1.34.2-k3s1` })]);
    await server.on(`/v2/acme${base}/tags/list`, { body: '{}' });
    await server.on(`/v2/acme${base}/blobs/sha256:${sha256(fresh.bytes)}`, { body: fresh.bytes });
    trusting();
    expect(node.run(['upgrade'])).toMatchObject({ code: 0 });
    expect(node.records().generations.at(-1)?.kubernetes).toBe('v1.34.2+k3s1');
    const origin = `${node.root}${storeFile({ name: NAME, sha256: sha256(fresh.bytes) })}`.replace(
      /raw$/,
      'url',
    );
    expect(readFileSync(origin, 'utf8')).toBe(`oci://${host}/acme${base}:v1.34.2-k3s1\n`);
  });

  /** The catalog of an upstream that this node does not reach, in a registry as `sextant mirror` puts it there. */
  const mirrored = async (serial: number, by: SigningFiles | null) => {
    const host = server.url.replace('http://', '');
    const repository = `/v2/mirror${base}`;
    const text = catalogText(serial, [
      real('v1.34.2+k3s1', { distribution: 'k3s', address: 'https://upstream.example/v1.34.2+k3s1' }),
    ]);
    const files: Record<string, Buffer> = { 'sextant-catalog.json': Buffer.from(text) };
    if (by) files['sextant-catalog.json.sig'] = signature(text, by);
    const layers = Object.entries(files).map(([title, bytes]) => ({
      digest: `sha256:${sha256(bytes)}`,
      annotations: { 'org.opencontainers.image.title': title },
    }));
    for (const bytes of [...Object.values(files), fresh.bytes])
      await server.on(`${repository}/blobs/sha256:${sha256(bytes)}`, { body: bytes });
    await server.on(`${repository}/manifests/catalog`, { body: JSON.stringify({ layers }) });
    await server.on(`${repository}/tags/list`, { body: '{}' });
    return `oci://${host}/mirror${base}`;
  };

  test('a catalog in a registry, and its releases in the mirror instead of where it says', async () => {
    const mirror = await mirrored(7, signer);
    settings({ address: `${mirror}:catalog`, mirror, trust: readFileSync(signer.certificate, 'utf8') });
    const { code, out, err } = node.run(['upgrade']);
    expect(err).not.toContain('error');
    expect(code).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('serial 7, signed by a key this node trusts');
    expect(node.records().generations.at(-1)?.kubernetes).toBe('v1.34.2+k3s1');
    expect(memory()).toMatchObject({ [`${mirror}:catalog`]: { serial: 7 } });
  });

  test.each([
    ['by another key', () => other, /is signed by none of the keys this node trusts/],
    ['by nobody', () => null, /is not signed/],
  ])('a catalog in a registry that is signed %s is refused', async (_, by, message) => {
    const mirror = await mirrored(7, by());
    settings({ address: `${mirror}:catalog`, mirror, trust: readFileSync(signer.certificate, 'utf8') });
    expect(node.run(['upgrade'])).toMatchObject({ code: 4, err: expect.stringMatching(message) });
    expect(node.records().generations).toHaveLength(1);
  });

  test('releases of a mirror that is a folder are below its releases/', async () => {
    await serve(1, [real('v1.34.2+k3s1', { distribution: 'k3s', address: 'https://upstream.example/k3s' })]);
    await server.on(`${base}/releases/k3s-v1.34.2%2Bk3s1/image.sysext.raw`, { body: fresh.bytes });
    settings({
      address: `${server.url}${base}`,
      mirror: `${server.url}${base}/`,
      trust: readFileSync(signer.certificate, 'utf8'),
    });
    expect(node.run(['upgrade'])).toMatchObject({ code: 0 });
    expect(node.records().generations.at(-1)?.kubernetes).toBe('v1.34.2+k3s1');
  });

  test.each([
    [{ address: 'oci://host.test/a' }, 'catalog.address'],
    [{ address: 'oci://host.test/a:catalog', mirror: 'oci://host.test/a:tag' }, 'catalog.mirror'],
    [{ address: '/stick', mirror: 'ftp://host.test' }, 'catalog.mirror'],
  ])('settings of a place that is none, %j, are refused', (given, named) => {
    settings(given);
    expect(node.run(['upgrade'])).toMatchObject({ code: 3, err: expect.stringContaining(named) });
  });

  test('a release that is not the bytes it lists is refused', async () => {
    await serve(1, [
      real('v1.33.9+k3s1', {
        images: real('x').images.map((image) => ({ ...image, sha256: 'd'.repeat(64) })),
      }),
    ]);
    trusting();
    expect(node.run(['upgrade'])).toMatchObject({ code: 4, err: expect.stringContaining('expected, got') });
    expect(node.records().generations).toHaveLength(1);
  });

  test('nothing newer is success and changes nothing', async () => {
    await serve(5, [listed('v1.33.4+k3s1', { yanked: 'breaks IPv6' })]);
    trusting();
    const { code, out } = node.run(['upgrade']);
    expect(code).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('Nothing newer than v1.33.4+k3s1 in it is for this node.');
    expect(out.replaceAll(/\s+/g, ' ')).toContain('NOTE: v1.33.4+k3s1, which runs, was yanked: breaks IPv6');
    expect(node.records().wanted).toBeNull();
    expect(node.calls()).toEqual(['systemctl --version']);
  });

  test('--at asks the catalog again when the time has come: what is yanked by then is not taken', async () => {
    await serve(1, [real('v1.33.9+k3s1')]);
    trusting();
    expect(node.run(['upgrade', '--at', 'Sat 03:30']).code).toBe(0);
    expect(node.calls().find((line) => line.startsWith('systemd-run'))).toContain(
      'upgrade --to v1.33.9+k3s1 --reboot',
    );
    await serve(2, [real('v1.33.9+k3s1', { yanked: 'breaks IPv6' })]);
    expect(node.run(['upgrade', '--to', 'v1.33.9+k3s1', '--reboot'])).toMatchObject({
      code: 8,
      err: 'error: v1.33.9+k3s1 was yanked: breaks IPv6\nhint: take another; or, if you know better, name its address: --to ADDRESS/release.json\n',
    });
  });

  test('one that withdrew what was asked for counts as seen: an older one that still has it is refused', async () => {
    await serve(2, [real('v1.33.9+k3s1', { yanked: 'breaks IPv6' })]);
    trusting();
    expect(node.run(['upgrade', '--to', 'v1.33.9+k3s1', '--dry-run']).code).toBe(8);
    expect(existsSync(`${node.root}${MEMORY}`)).toBe(false);
    expect(node.run(['upgrade', '--to', 'v1.33.9+k3s1']).code).toBe(8);
    await serve(1, [real('v1.33.9+k3s1')]);
    expect(node.run(['upgrade', '--to', 'v1.33.9+k3s1'])).toMatchObject({
      code: 4,
      err: expect.stringContaining('has serial 1, this node has seen 2: it is an old catalog'),
    });
  });

  test('a node too old for a release that is named is told so', async () => {
    await serve(1, [real('v1.33.9+k3s1', { systemd: 300 })]);
    trusting();
    expect(node.run(['upgrade', '--to', 'v1.33.9+k3s1'])).toMatchObject({
      code: 8,
      err: expect.stringContaining('v1.33.9+k3s1 needs systemd 300, this node has 257'),
    });
  });
});

describe('a catalog that is', () => {
  const refused = (code: number, said: string) => {
    const before = node.durable();
    const result = node.run(['upgrade']);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(said);
    expect(result.err).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/);
    expect(node.durable()).toEqual(before);
  };

  test('older than the one seen is refused, for good, whatever the clock says', async () => {
    const first = await serve(41, [listed('v1.33.4+k3s1')]);
    trusting();
    expect(node.run(['upgrade']).code).toBe(0);
    expect(memory()).toEqual({
      [`${server.url}${base}/sextant-catalog.json`]: { serial: 41, sha256: sha256(first) },
    });
    expect(statSync(`${node.root}${MEMORY}`).mode & 0o777).toBe(0o600);
    await serve(40, [real('v1.33.9+k3s1')]);
    for (const year of [1970, 2026, 2106]) {
      const through = (host: FakeNode['host']) => ({ ...host, wallClock: () => Date.UTC(year, 1, 1) });
      expect(node.run(['upgrade'], through)).toMatchObject({
        code: 4,
        err: expect.stringContaining('has serial 40, this node has seen 41: it is an old catalog'),
      });
    }
    await serve(42, [real('v1.33.9+k3s1')]);
    expect(node.run(['upgrade', '--dry-run']).code).toBe(0);
    expect(Object.values(memory())).toEqual([{ serial: 41, sha256: sha256(first) }]);
    expect(node.run(['upgrade']).code).toBe(0);
    expect(Object.values(memory())).toEqual([expect.objectContaining({ serial: 42 })]);
  });

  test('another one with the same serial is refused', async () => {
    await serve(7, [listed('v1.33.4+k3s1')]);
    trusting();
    node.run(['upgrade']);
    await serve(7, [real('v1.33.9+k3s1')]);
    refused(4, 'is another catalog than the one this node has seen with the same serial, 7');
  });

  test('signed by another key is refused', async () => {
    await serve(1, [real('v1.33.9+k3s1')], other);
    trusting();
    refused(4, 'is signed by none of the keys this node trusts');
  });

  test('signed by the new one of two trusted keys is taken', async () => {
    await serve(1, [real('v1.33.9+k3s1')], other);
    trusting(readFileSync(signer.certificate, 'utf8') + readFileSync(other.certificate, 'utf8'));
    expect(node.run(['upgrade', '--dry-run']).code).toBe(0);
  });

  test('not signed is refused where a key is set, and taken where none is, which is said', async () => {
    await serve(1, [real('v1.33.9+k3s1')], null);
    trusting();
    refused(4, 'is not signed, and this node takes only a signed catalog');
    settings({ address: `${server.url}${base}/sextant-catalog.json` });
    const { code, out } = node.run(['upgrade', '--dry-run']);
    expect(code).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('its signature is not asked for (catalog.trust)');
  });

  test('cut short is refused, signed or not', async () => {
    const text = await serve(1, [real('v1.33.9+k3s1')]);
    await server.on(`${base}/sextant-catalog.json`, { body: Buffer.from(text.slice(0, 200)) });
    trusting();
    refused(4, 'or was changed or cut short on its way');
    settings({ address: `${server.url}${base}` });
    refused(3, 'not JSON; it is cut short, or no catalog');
  });

  test('huge is not read', async () => {
    await server.on(`${base}/sextant-catalog.json`, { body: Buffer.alloc(9 * 1024 * 1024, ' ') });
    trusting();
    refused(4, 'is larger than 8388608 bytes');
  });

  test('replaced between its two files is asked for once more', async () => {
    const before = catalogText(1, [listed('v1.33.4+k3s1')]);
    const after = catalogText(2, [real('v1.33.9+k3s1')]);
    await server.on(
      `${base}/sextant-catalog.json`,
      { body: Buffer.from(before) },
      { body: Buffer.from(after) },
    );
    await server.on(`${base}/sextant-catalog.json.sig`, { body: signature(after, signer) });
    trusting();
    expect(node.run(['upgrade', '--dry-run']).out).toContain('serial 2');
  });

  test('not there is refused', () => {
    trusting();
    refused(6, 'there is no such catalog');
  });

  test('set wrongly is refused', () => {
    settings({ address: 'ftp://x' });
    refused(3, 'catalog.address: an http(s) address, an absolute path or oci://HOST/REPOSITORY:TAG expected');
    settings({ address: 'https://example.org', trust: 'no key' });
    refused(3, 'catalog.trust: a PEM certificate or public key, or the path of a file with one, expected');
  });

  test('remembered in a file that is damaged is refused', async () => {
    await serve(1, [real('v1.33.9+k3s1')]);
    trusting();
    place(node.root, MEMORY, '{');
    refused(3, `${MEMORY}: cannot be read`);
  });
});

describe('without a catalog', () => {
  test('a minor version alone is refused with what to do', () => {
    expect(node.run(['upgrade', '--to', '1.34'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('no catalog is set'),
    });
  });

  test('an address or a path is not looked up in it', async () => {
    trusting();
    const { err } = node.run(['upgrade', '--to', '/nowhere/release.json']);
    expect(err).toContain('/nowhere/release.json: there is no such file');
    expect(existsSync(`${node.root}${MEMORY}`)).toBe(false);
  });
});
