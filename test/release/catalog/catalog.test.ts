import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addReleases, yankRelease } from '../../../src/release/catalog/add.ts';
import { checkCatalog } from '../../../src/release/catalog/check.ts';
import { readCatalog } from '../../../src/release/catalog/fetch.ts';
import { findCatalog, writeCatalogFolder } from '../../../src/release/catalog/folder.ts';
import { publishedReferences } from '../../../src/release/catalog/published.ts';
import { signCatalogFolder } from '../../../src/release/catalog/sign.ts';
import type { Catalog } from '../../../src/release/catalog/types.ts';
import type { Context } from '../../../src/support/context.ts';
import { silent } from '../../../src/support/progress.ts';
import { makeSigner, type SigningFiles } from '../../image/fixture.ts';
import { makeRelease } from './example.ts';

const digest = (character: string) => character.repeat(64);
const there = mkdtempSync(join(tmpdir(), 'sextant-catalog-'));
const context: Context = {
  cache: join(there, 'cache'),
  progress: silent,
  signal: new AbortController().signal,
};
let signer: SigningFiles;
let other: SigningFiles;
let folder: string;
const release = (version: string) => join(there, version);
const catalogFile = () => join(folder, 'sextant-catalog.json');
const catalog = () => JSON.parse(readFileSync(catalogFile(), 'utf8')) as Catalog;
const kairos = () => JSON.parse(readFileSync(join(folder, 'releases.json'), 'utf8'));
const snapshot = () =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [
        join(entry.parentPath, entry.name),
        readFileSync(join(entry.parentPath, entry.name), 'base64'),
      ]),
  );

beforeAll(async () => {
  signer = makeSigner(there, 'release');
  other = makeSigner(there, 'other');
  for (const file of [signer.key, other.key]) chmodSync(file, 0o600);
  await makeRelease(
    release('v1.35.6+k3s1'),
    { version: 'v1.35.6+k3s1', architectures: ['amd64', 'arm64'] },
    context,
  );
  await makeRelease(release('v1.36.3+k3s1'), { version: 'v1.36.3+k3s1', signing: signer }, context);
  await makeRelease(release('v1.36.3+k0s.0'), { version: 'v1.36.3+k0s.0' }, context);
});
afterAll(() => rmSync(there, { recursive: true, force: true }));
beforeEach(() => {
  folder = mkdtempSync(join(there, 'catalog-'));
});

const add = (versions: readonly string[], more: object = {}) =>
  addReleases({ folder, releases: versions.map(release), ...more }, context);

describe('catalog add', () => {
  test('makes a catalog with what a node has to know of a release', async () => {
    const { before, after } = await add(['v1.36.3+k3s1'], { title: 'Example' });
    expect([before, after.serial]).toEqual([0, 1]);
    const built = JSON.parse(readFileSync(join(release('v1.36.3+k3s1'), 'release.json'), 'utf8'));
    const [image] = built.images;
    expect(catalog()).toMatchObject({
      schemaVersion: 1,
      title: 'Example',
      serial: 1,
      releases: [
        {
          name: 'provider-kairos',
          version: 'v1.36.3+k3s1',
          address: 'https://example.org/k8s/v1.36.3+k3s1',
          since: 1,
          kubernetes: {
            version: 'v1.36.3',
            follows: ['1.35', '1.36'],
            apiServers: ['1.36', '1.37', '1.38', '1.39'],
          },
          requires: { systemd: 255, kairos: 'v3.5.0' },
          images: [
            {
              architecture: 'amd64',
              size: image.size,
              sha256: image.sha256,
              rootHash: image.rootHash,
              signature: { certificate: image.signature.certificateFingerprint },
            },
          ],
        },
      ],
    });
    expect(Object.keys(catalog().certificates)).toEqual([image.signature.certificateFingerprint]);
    expect(catalog().releases[0]?.trust).toEqual([image.signature.certificateFingerprint]);
  });

  test('keeps the newest first, counts the serial, and changes nothing for what is there', async () => {
    await add(['v1.35.6+k3s1']);
    expect((await add(['v1.36.3+k3s1', 'v1.36.3+k0s.0'], {})).after.serial).toBe(2);
    expect(catalog().releases.map(({ version }) => version)).toEqual([
      'v1.36.3+k3s1',
      'v1.36.3+k0s.0',
      'v1.35.6+k3s1',
    ]);
    const before = snapshot();
    expect(await add(['v1.35.6+k3s1'])).toMatchObject({ before: 2, after: { serial: 2 } });
    expect(snapshot()).toEqual(before);
  });

  test('another build of a version is refused unless it is to replace it', async () => {
    await add(['v1.36.3+k3s1']);
    const rebuilt = join(there, 'rebuilt');
    await makeRelease(rebuilt, { version: 'v1.36.3+k3s1', components: { k3s: 'another' } }, context);
    const before = snapshot();
    const request = { folder, releases: [rebuilt] };
    await expect(addReleases(request, context)).rejects.toThrow(
      'the catalog has another build of it already',
    );
    expect(snapshot()).toEqual(before);
    expect((await addReleases({ ...request, replace: true }, context)).after.serial).toBe(2);
    expect(catalog().releases).toHaveLength(1);
  });

  test('a yanked release stays yanked when it is added again, and keeps its artifacts', async () => {
    const oci = { amd64: `r.example.org/k8s@sha256:${digest('a')}` };
    await add(['v1.36.3+k3s1'], { oci });
    await yankRelease({ folder, version: '1.36.3+k3s1', why: 'breaks IPv6' });
    await add(['v1.36.3+k3s1'], { address: '../k8s' });
    const [there] = catalog().releases;
    expect(there).toMatchObject({ since: 1, address: '../k8s', yanked: { why: 'breaks IPv6', since: 2 } });
    expect(there?.images[0]?.oci).toBe(oci.amd64);
  });

  test.each([
    [
      'an image that is not what release.json says',
      (place: string) => truncateSync(place, 4096),
      'its SHA-256 is not what release.json says',
    ],
    ['an image that is missing', (place: string) => rmSync(place), 'is missing, its release.json lists it'],
  ])('%s is refused, and no catalog is begun', async (_name, spoil, said) => {
    const spoiled = mkdtempSync(join(there, 'spoiled-'));
    const { images } = await makeRelease(spoiled, { version: 'v1.34.1+k3s1' }, context);
    spoil(join(spoiled, images[0]?.file ?? ''));
    await expect(addReleases({ folder, releases: [spoiled] }, context)).rejects.toMatchObject({
      code: 'verification',
      message: expect.stringContaining(said),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    [{ address: 'javascript:alert(1)' }, 'input', 'must be an http(s) address'],
    [{ address: '//example.org/k8s' }, 'input', 'must be an http(s) address'],
    [{ title: 'two\nlines' }, 'input', 'must be one line of visible characters'],
    [{ oci: { amd64: 'r.example.org/k8s:v1' } }, 'usage', 'must be a reference by digest'],
    [{ oci: { riscv64: `r.example.org/k8s@sha256:${digest('a')}` } }, 'usage', 'no architecture of ours'],
  ])('%j is refused', async (more, code, said) => {
    await expect(add(['v1.36.3+k3s1'], more)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(said),
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('a catalog that somebody else changes meanwhile is not overwritten', async () => {
  await add(['v1.35.6+k3s1'], { key: signer.key });
  const found = await findCatalog(folder);
  await add(['v1.36.3+k3s1'], { key: signer.key });
  const before = snapshot();
  const late = writeCatalogFolder(found, folder, { ...catalog(), title: 'late' }, { key: signer.key });
  await expect(late).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('somebody else changed the catalog meanwhile'),
  });
  expect(snapshot()).toEqual(before);
});

describe('what Kairos reads', () => {
  test('holds what was pushed to a registry, by digest, newest first, and nothing that is yanked', async () => {
    const oci = (character: string) => ({ amd64: `r.example.org/k8s@sha256:${digest(character)}` });
    await add(['v1.35.6+k3s1'], { oci: oci('a'), title: 'example/k8s' });
    await add(['v1.36.3+k3s1'], { oci: oci('b') });
    await add(['v1.36.3+k0s.0'], { oci: oci('c') });
    expect(kairos()).toEqual({
      repo: 'example/k8s',
      layers: [
        {
          name: 'provider-kairos',
          title: 'Kubernetes (k3s)',
          description: expect.any(String),
          latest: 'v1.36.3+k3s1',
          tags: [
            { tag: 'v1.36.3+k3s1', sysext: { amd64: { oci: oci('b').amd64 } } },
            { tag: 'v1.35.6+k3s1', sysext: { amd64: { oci: oci('a').amd64 } } },
          ],
        },
        expect.objectContaining({ name: 'provider-kairos-k0s', latest: 'v1.36.3+k0s.0' }),
      ],
    });
    await yankRelease({ folder, version: 'v1.36.3+k3s1', why: 'breaks IPv6' });
    expect(kairos().layers[0]).toMatchObject({ latest: 'v1.35.6+k3s1', tags: [{ tag: 'v1.35.6+k3s1' }] });
  });

  test('where `sextant publish --json` says that the raw form is, is where Kairos is sent', () => {
    const tag = (form: string, character: string, architecture?: string) => ({
      tag: 'v1.36.3-k3s1',
      what: 'image',
      form,
      ...(architecture === undefined ? {} : { architecture }),
      digest: `sha256:${digest(character)}`,
      reference: `r.example.org/k8s@sha256:${digest(character)}`,
    });
    const report = {
      kind: 'registry',
      tags: [tag('tar', 'a', 'amd64'), tag('raw', 'b', 'amd64'), tag('raw', 'c', 'arm64'), tag('raw', 'd')],
    };
    expect(publishedReferences(JSON.stringify(report), 'x')).toEqual({
      amd64: `r.example.org/k8s@sha256:${digest('b')}`,
      arm64: `r.example.org/k8s@sha256:${digest('c')}`,
    });
    for (const wrong of ['', '{', '[]', '{"tags":[{}]}', JSON.stringify({ kind: 'folder', folder: 'x' })])
      expect(() => publishedReferences(wrong, 'report.json')).toThrow('report.json: does not say where');
  });

  test('a release that was pushed nowhere is not in it', async () => {
    await add(['v1.36.3+k3s1']);
    expect(kairos().layers).toEqual([]);
  });
});

describe('the signature', () => {
  const openssl = (key: string) =>
    execFileSync(
      'openssl',
      ['dgst', '-sha256', '-verify', key, '-signature', `${catalogFile()}.sig`, catalogFile()],
      { encoding: 'utf8' },
    );

  test('is what openssl checks with the public key alone', async () => {
    await add(['v1.36.3+k3s1'], { key: signer.key });
    const publicKey = join(there, 'release.pub');
    execFileSync('openssl', ['rsa', '-in', signer.key, '-pubout', '-out', publicKey], { stdio: 'ignore' });
    expect(openssl(publicKey)).toBe('Verified OK\n');
    for (const trust of [publicKey, signer.certificate])
      expect(await checkCatalog(folder, { trust }, context)).toMatchObject({
        signed: 'trusted',
        contents: 1,
      });
  });

  test('by another key, over a changed catalog, or missing, is refused', async () => {
    await add(['v1.36.3+k3s1'], { key: signer.key });
    const refused = (options: object) => expect(checkCatalog(folder, options, context)).rejects;
    await refused({ trust: other.certificate }).toMatchObject({ code: 'verification' });
    writeFileSync(catalogFile(), readFileSync(catalogFile(), 'utf8').replace('"serial": 1', '"serial": 9'));
    await refused({ trust: signer.certificate }).toThrow('or was changed since');
    rmSync(`${catalogFile()}.sig`);
    await refused({ trust: signer.certificate }).toThrow('is not signed');
  });

  test('a signed catalog is changed only with its key, and nothing is written otherwise', async () => {
    await add(['v1.35.6+k3s1'], { key: signer.key });
    const before = snapshot();
    await expect(add(['v1.36.3+k3s1'])).rejects.toMatchObject({ code: 'usage' });
    await expect(add(['v1.36.3+k3s1'], { key: other.key })).rejects.toMatchObject({ code: 'verification' });
    await expect(yankRelease({ folder, version: 'v1.35.6+k3s1', why: 'x' })).rejects.toMatchObject({
      code: 'usage',
    });
    expect(snapshot()).toEqual(before);
    await add(['v1.36.3+k3s1'], { unsigned: true });
    expect(existsSync(`${catalogFile()}.sig`)).toBe(false);
  });

  test('goes over to the key that follows, and the catalog stays as it is', async () => {
    await add(['v1.35.6+k3s1'], { key: signer.key });
    const before = snapshot();
    await expect(signCatalogFolder(folder, other.key)).rejects.toMatchObject({ code: 'usage' });
    await expect(signCatalogFolder(folder, other.key, other.certificate)).rejects.toMatchObject({
      code: 'verification',
    });
    expect(snapshot()).toEqual(before);
    await signCatalogFolder(folder, other.key, signer.certificate);
    const unsigned = (files: object) => Object.entries(files).filter(([name]) => !name.endsWith('.sig'));
    expect(unsigned(snapshot())).toEqual(unsigned(before));
    expect(await checkCatalog(folder, { trust: other.certificate }, context)).toMatchObject({
      signed: 'trusted',
    });
    await expect(checkCatalog(folder, { trust: signer.certificate }, context)).rejects.toMatchObject({
      code: 'verification',
    });
    await add(['v1.36.3+k3s1'], { key: other.key });
  });

  test('is made for a catalog that had none', async () => {
    await add(['v1.35.6+k3s1']);
    await signCatalogFolder(folder, signer.key);
    expect(await checkCatalog(folder, { trust: signer.certificate }, context)).toMatchObject({
      signed: 'trusted',
    });
  });

  test('a key that others may read, or that is none, is refused and never shown', async () => {
    chmodSync(other.key, 0o644);
    const refused = await add(['v1.36.3+k3s1'], { key: other.key }).catch((error: unknown) => error);
    chmodSync(other.key, 0o600);
    expect(refused).toMatchObject({ code: 'input', message: expect.stringContaining('others can read') });
    const none = join(there, 'none.key');
    writeFileSync(none, 'a secret text', { mode: 0o600 });
    const wrong = (await add(['v1.36.3+k3s1'], { key: none }).catch((error: unknown) => error)) as Error;
    expect(wrong.message).toContain('no PEM private key');
    expect(`${wrong.message} ${wrong.stack}`).not.toContain('a secret text');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('catalog check', () => {
  test('an older catalog than the one seen is refused', async () => {
    await add(['v1.36.3+k3s1']);
    await expect(checkCatalog(folder, { seen: 2 }, context)).rejects.toThrow('it is an old catalog');
    expect(await checkCatalog(folder, { seen: 1 }, context)).toMatchObject({ signed: 'none' });
  });

  test.each([
    ['cut short', () => truncateSync(catalogFile(), 400), 'not JSON; it is cut short, or no catalog'],
    ['huge', () => truncateSync(catalogFile(), 33 * 1024 * 1024), 'bytes are too many'],
    ['of a later format', () => change({ schemaVersion: 2 }), 'is a catalog of format 2'],
    ['without a serial', () => change({ serial: 0 }), 'not a catalog: serial:'],
    [
      'with a release twice',
      () => change({ releases: [...catalog().releases, ...catalog().releases] }),
      'is in it twice',
    ],
    ['with a path for a file name', () => changeImage({ file: '../x.raw' }), 'must be the name of a file'],
    ['with a digest that is none', () => changeImage({ sha256: 'x' }), '64 lower-case hexadecimal digits'],
  ])('a catalog %s is one line', async (_name, spoil, said) => {
    await add(['v1.36.3+k3s1']);
    spoil();
    await expect(checkCatalog(folder, {}, context)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(said),
    });
  });

  test('what lies beside the catalog has to be its own', async () => {
    await add(['v1.36.3+k3s1']);
    writeFileSync(join(folder, 'releases.json'), '{}');
    await expect(checkCatalog(folder, {}, context)).rejects.toThrow(
      'releases.json: is not what the catalog says',
    );
    await add(['v1.35.6+k3s1']);
    const [image] = catalog().releases[0]?.images ?? [];
    writeFileSync(join(folder, 'contents', `${image?.contents}.json`), '{}');
    await expect(checkCatalog(folder, {}, context)).rejects.toThrow('its SHA-256 differs');
  });

  const change = (what: object) => writeFileSync(catalogFile(), JSON.stringify({ ...catalog(), ...what }));
  const changeImage = (what: object) => {
    const [first] = catalog().releases;
    change({ releases: [{ ...first, images: [{ ...first?.images[0], ...what }] }] });
  };
});

describe('at an address', () => {
  const served = async (
    answer: (path: string) => Buffer | undefined,
    work: (url: string) => Promise<void>,
  ) => {
    const server = createServer((request, response) => {
      const body = answer(decodeURIComponent(request.url ?? ''));
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  test('the catalog and its signature are read, and releases are added from one', async () => {
    const files = (path: string) => {
      const file = join(there, path.slice(1));
      return existsSync(file) ? readFileSync(file) : undefined;
    };
    await served(files, async (url) => {
      await addReleases({ folder, releases: [`${url}/v1.36.3+k3s1/`], key: signer.key }, context);
      expect(catalog().releases[0]?.address).toBe(`${url}/v1.36.3+k3s1`);
      const place = `${url}/${folder.slice(there.length + 1)}`;
      expect(await checkCatalog(place, { trust: signer.certificate }, context)).toMatchObject({
        signed: 'trusted',
      });
      await expect(readCatalog(`${url}/nowhere`, context)).rejects.toMatchObject({ code: 'network' });
    });
  });

  test('a catalog without end is not read to its end', async () => {
    await served(
      (path) => (path.endsWith('.json') ? Buffer.alloc(33 * 1024 * 1024, ' ') : undefined),
      async (url) => {
        await expect(readCatalog(url, context)).rejects.toThrow('so no catalog');
      },
    );
  });
});
