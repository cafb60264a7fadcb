import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { addReleases, yankRelease } from '../../../src/release/catalog/add.ts';
import { checkCatalog } from '../../../src/release/catalog/check.ts';
import { readCatalogFolder } from '../../../src/release/catalog/folder.ts';
import { kairosTextFor } from '../../../src/release/mirror/kairos.ts';
import { openRepository } from '../../../src/release/registry/client.ts';
import { silent } from '../../../src/support/progress.ts';
import { parseReference } from '../../../src/support/registry/reference.ts';
import { makeSigner, type SigningFiles } from '../../image/fixture.ts';
import { errorOf } from '../../sources/context.ts';
import { makeRelease } from '../catalog/example.ts';
import { type FakeRegistry, startFakeRegistry } from '../registry/fake-registry.ts';
import { publishTo } from '../registry/publishing.ts';

// A catalog of two releases, both once pushed to a registry that a closed network cannot reach.
const [OLD, NEW] = ['v1.36.2+k3s1', 'v1.36.3+k3s0'];
const ORIGINAL = 'registry.example.org/k8s';
const there = mkdtempSync(join(tmpdir(), 'sextant-mirrored-kairos-'));
const context = { cache: join(there, 'cache'), progress: silent, signal: new AbortController().signal };
const original = join(there, 'original');
let signer: SigningFiles;
let registry: FakeRegistry;

beforeAll(async () => {
  signer = makeSigner(there, 'catalog');
  chmodSync(signer.key, 0o600);
  for (const [index, version] of [OLD, NEW].entries()) {
    const release = join(there, version);
    await makeRelease(release, { version, architectures: ['amd64', 'arm64'] }, context);
    const oci = Object.fromEntries(
      ['amd64', 'arm64'].map((name, at) => [
        name,
        `${ORIGINAL}@sha256:${String(index * 2 + at + 1).repeat(64)}`,
      ]),
    );
    await addReleases(
      { folder: original, releases: [release], key: signer.key, title: 'Edge', oci },
      context,
    );
  }
});
afterAll(() => rmSync(there, { recursive: true, force: true }));
beforeEach(async () => {
  vi.stubEnv('DOCKER_CONFIG', there);
  registry = await startFakeRegistry();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
});

const repository = () =>
  openRepository(parseReference(`${registry.host}/acme/k8s`), { progress: silent, signal: context.signal });
const textFor = async (folder = original) =>
  kairosTextFor((await readCatalogFolder(folder)).catalog, repository());
const put = (version: string, folder = join(there, version)) =>
  publishTo(registry.host, folder, { tag: version.replace('+', '-') });
const artifact = (tag: string) => `${registry.host}/acme/k8s@${registry.tags.get(tag)}`;

describe('what Kairos reads of a catalog in a mirror', () => {
  test('names the mirror by digest, and lists only what the mirror holds', async () => {
    await put(OLD);
    const text = await textFor();
    const { repo, layers } = JSON.parse(text);
    expect(repo).toBe(`Edge, mirrored in ${registry.host}/acme/k8s`);
    expect(layers).toMatchObject([{ name: 'provider-kairos', latest: OLD }]);
    expect(layers[0].tags).toEqual([
      {
        tag: OLD,
        sysext: {
          amd64: { oci: artifact('v1.36.2-k3s1-amd64') },
          arm64: { oci: artifact('v1.36.2-k3s1-arm64') },
        },
      },
    ]);
    expect(text).not.toContain(ORIGINAL);
  });

  test('has what was mirrored before as well, newest first', async () => {
    await put(OLD);
    await put(NEW);
    const [{ tags, latest }] = JSON.parse(await textFor()).layers;
    expect(latest).toBe(NEW);
    expect(tags.map(({ tag }: { tag: string }) => tag)).toEqual([NEW, OLD]);
  });

  test('leaves out what the tag of a version has of another build, and what was yanked', async () => {
    const another = join(there, 'another');
    await makeRelease(another, { version: NEW, components: { k3s: NEW, edgevpn: 'v9' } }, context);
    await put(OLD);
    await put(NEW, another);
    const yanked = join(there, 'yanked');
    cpSync(original, yanked, { recursive: true });
    await yankRelease({ folder: yanked, version: OLD, why: 'loses addresses', key: signer.key });
    expect(JSON.parse(await textFor()).layers[0].tags.map(({ tag }: { tag: string }) => tag)).toEqual([OLD]);
    expect(JSON.parse(await textFor(yanked)).layers).toEqual([]);
  });

  test('is nothing where the mirror holds no release', async () => {
    expect(JSON.parse(await textFor()).layers).toEqual([]);
  });
});

describe('a catalog that was fetched out of a mirror', () => {
  test('is right with that file, its own stays signed, and who checks it hears of the mirror', async () => {
    await put(NEW);
    const pulled = join(there, 'pulled');
    cpSync(original, pulled, { recursive: true });
    writeFileSync(join(pulled, 'releases.json'), await textFor());
    expect(await checkCatalog(pulled, { trust: signer.certificate }, context)).toMatchObject({
      signed: 'trusted',
      mirror: `${registry.host}/acme/k8s`,
    });
    expect(await checkCatalog(original, { trust: signer.certificate }, context)).not.toHaveProperty('mirror');
  });

  test('is refused where the file names another place, or another release', async () => {
    await put(NEW);
    const pulled = join(there, 'changed');
    cpSync(original, pulled, { recursive: true });
    const text = await textFor();
    const own = readFileSync(join(original, 'releases.json'), 'utf8');
    for (const changed of [
      text.replace(`"oci": "${registry.host}`, '"oci": "elsewhere.example'),
      text.replace(`"tag": "${NEW}"`, '"tag": "v9.9.9+k3s1"'),
      own.replace(ORIGINAL, 'elsewhere.example/k8s'),
      text.replace('Edge, mirrored in', 'Edge of'),
      'null',
    ]) {
      expect(changed).not.toBe(text);
      expect(changed).not.toBe(own);
      writeFileSync(join(pulled, 'releases.json'), changed);
      const error = await errorOf(checkCatalog(pulled, {}, context));
      expect(error.message, changed).toBe(`${join(pulled, 'releases.json')}: is not what the catalog says`);
    }
  });
});
