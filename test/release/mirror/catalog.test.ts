import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addReleases, yankRelease } from '../../../src/release/catalog/add.ts';
import { checkCatalog } from '../../../src/release/catalog/check.ts';
import { putCatalog } from '../../../src/release/mirror/catalog.ts';
import { silent } from '../../../src/support/progress.ts';
import { makeSigner, type SigningFiles } from '../../image/fixture.ts';
import { errorOf } from '../../sources/context.ts';
import { startServer, type TestServer } from '../../sources/server.ts';
import { makeRelease } from '../catalog/example.ts';

const there = mkdtempSync(join(tmpdir(), 'sextant-mirrored-catalog-'));
const context = { cache: join(there, 'cache'), progress: silent, signal: new AbortController().signal };
const first = join(there, 'first');
let signer: SigningFiles;
let mirror: string;
let server: TestServer;

beforeAll(async () => {
  signer = makeSigner(there, 'catalog');
  chmodSync(signer.key, 0o600);
  await makeRelease(join(there, 'release'), { version: 'v1.36.3+k3s1' }, context);
  await addReleases({ folder: first, releases: [join(there, 'release')], key: signer.key }, context);
});
afterAll(() => rmSync(there, { recursive: true, force: true }));
beforeEach(async () => {
  mirror = mkdtempSync(join(there, 'mirror-'));
  server = await startServer();
});
afterEach(() => server.close());

const files = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name)).toString('hex')]),
  );

describe('a catalog in a mirror', () => {
  test('is the one that was given, with its signature and what it says of images', async () => {
    expect(await putCatalog(first, mirror, context)).toBe(1);
    expect(files(mirror)).toEqual(files(first));
    expect(await checkCatalog(mirror, { trust: signer.certificate }, context)).toMatchObject({
      signed: 'trusted',
      contents: 1,
    });
  });

  test('may come from an address', async () => {
    for (const [name, hex] of Object.entries(files(first))) {
      const path = /^[0-9a-f]{64}\.json$/.test(name) ? `contents/${name}` : name;
      server.on(`/k8s/${path}`, { body: Buffer.from(hex, 'hex') });
    }
    await putCatalog(`${server.url}/k8s`, mirror, context);
    expect(files(mirror)).toEqual(files(first));
  });

  test('is not replaced by an older one, nor by another one with its serial', async () => {
    const newer = join(there, 'newer');
    cpSync(first, newer, { recursive: true });
    await yankRelease({ folder: newer, version: 'v1.36.3+k3s1', why: 'loses addresses', key: signer.key });
    await putCatalog(newer, mirror, context);
    const error = await errorOf(putCatalog(first, mirror, context));
    expect(error).toMatchObject({ code: 'verification' });
    expect(error.message).toBe(
      `${first}: has serial 1, the mirror ${mirror} has 2 already: it is an old catalog`,
    );
    const other = join(there, 'other');
    cpSync(first, other, { recursive: true });
    await yankRelease({ folder: other, version: 'v1.36.3+k3s1', why: 'something else', key: signer.key });
    expect((await errorOf(putCatalog(other, mirror, context))).message).toContain('with the same serial, 2');
    expect(files(mirror)).toEqual(files(newer));
  });
});
