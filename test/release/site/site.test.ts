import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { activationInputOf } from '../../../src/release/activation-input.ts';
import { addReleases } from '../../../src/release/catalog/add.ts';
import { buildSite } from '../../../src/release/site/build.ts';
import type { Release } from '../../../src/release/types.ts';
import { sha256 } from '../../../src/support/files.ts';
import { makeRelease } from '../catalog/example.ts';
import { type ExampleCatalog, exampleCatalog, NEWEST } from './example.ts';

const there = mkdtempSync(join(tmpdir(), 'sextant-site-'));
const output = join(there, 'site');
let example: ExampleCatalog;
beforeAll(async () => {
  example = await exampleCatalog(there);
  await build({ url: 'https://example.org/k8s/' });
});
afterAll(() => rmSync(there, { recursive: true, force: true }));

const build = (more: object = {}) =>
  buildSite({ catalog: example.folder, output, context: example.context, ...more });
const page = (version: string) =>
  readFileSync(join(output, 'releases', `provider-kairos-${version.replace('+', '_')}.html`), 'utf8');
const index = () => readFileSync(join(output, 'index.html'), 'utf8');
/** What a reader sees, roughly. */
const text = (html: string) =>
  html
    .replace(/<(script|style)[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');
const quoted = (plain: string) => plain.replaceAll(/[.+()]/g, '\\$&');
const files = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
const digest = () =>
  files(output).map((file) => `${file} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`);

test('the index lists every release in groups, with what is yanked and why', () => {
  expect(text(index())).toContain('Kubernetes 1.36 v1.36.3+k3s1 k3s amd64, arm64');
  expect(text(index())).toContain('v1.36.2+k3s1 yanked loses &lt;IPv6&gt; addresses &amp; routes');
  expect(text(index())).toContain('v1.35.6+k3s1 stand-ins');
  expect(index().match(/<tr(?: class="yanked")?><td>/g)).toHaveLength(6);
  expect(index()).not.toContain('<IPv6>');
});

test('a release has its digests, what it holds, and what changed since the last that is not yanked', () => {
  const { releases } = JSON.parse(readFileSync(join(output, 'sextant-catalog.json'), 'utf8'));
  const [newest] = releases;
  const said = text(page(NEWEST));
  for (const image of newest.images) {
    for (const value of [image.sha256, image.rootHash, image.oci, image.signature.certificate])
      expect(said).toContain(value);
  }
  expect(said).toContain('What changed since v1.35.6+k3s1');
  expect(said).toContain('k3s v1.35.6+k3s1 → to v1.36.3+k3s1');
  expect(said).toContain('Files: 2 added, 1 removed, 2 changed.');
  expect(said).toContain('/usr/bin/k3s-killall.sh added +2.3 KiB');
  expect(said).toContain('5 files, 126.5 MiB for amd64, 126.5 MiB for arm64, before compression');
  expect(said).toContain('a server of Kubernetes 1.35 or 1.36');
  expect(page(NEWEST)).toContain('https://example.org/k8s/releases.json');
  expect(said).toContain('- provider-kairos@1.36');
  expect(said).toContain('sextant-node upgrade --to v1.36.3+k3s1');
});

test("a release's bills of materials and provenance are linked, with format and size", () => {
  const said = text(page(NEWEST));
  expect(said).toContain('Bills of materials and provenance');
  for (const [file, format, of] of [
    ['provider-kairos-v1.36.3+k3s1-amd64.spdx.json', 'SPDX 2.3 (JSON)', 'amd64'],
    ['provider-kairos-v1.36.3+k3s1-arm64.cdx.json', 'CycloneDX 1.6 (JSON)', 'arm64'],
    ['provenance.intoto.json', 'SLSA v1 (in-toto)', 'the release'],
  ] as const) {
    const size = readFileSync(join(there, NEWEST, file)).length;
    expect(page(NEWEST)).toContain(`href="https://example.org/k8s/v1.36.3+k3s1/${encodeURIComponent(file)}"`);
    expect(said).toMatch(new RegExp(`${[file, format, of, `${size} B`].map(quoted).join('[^B]*? ')}`));
  }
});

test('of a release in a registry the links lead to its blobs, and so does the file that the form makes', async () => {
  const folder = join(there, 'in-registry');
  const address = 'oci://registry.example.org/k8s:v1.36.3-k3s1';
  await addReleases({ folder, releases: [join(there, NEWEST)], address }, example.context);
  const site = join(there, 'in-registry-site');
  await buildSite({ catalog: folder, output: site, context: example.context });
  const made = readFileSync(join(site, 'releases/provider-kairos-v1.36.3_k3s1.html'), 'utf8');
  const sum = sha256(readFileSync(join(there, NEWEST, 'provider-kairos-v1.36.3+k3s1-amd64.spdx.json')));
  expect(made).toContain(`href="https://registry.example.org/v2/k8s/blobs/sha256:${sum}"`);
  expect(made).toContain(`name="url" inputmode="url" spellcheck="false" value="${address}"`);
  expect(made).not.toContain(`href="${address}`);
  const release = JSON.parse(readFileSync(join(there, NEWEST, 'release.json'), 'utf8')) as Release;
  for (const url of [address, 'oci://registry.example.org/k8s'])
    expect(activationInputOf(release, { url }).images.amd64).toMatchObject({
      url: `https://registry.example.org/v2/k8s/blobs/sha256:${release.images[0]?.sha256}`,
      place: address,
    });
  expect(activationInputOf(release, { url: 'https://example.org/k8s' }).images.amd64).not.toHaveProperty(
    'place',
  );
});

test('a yanked release says so and names the newer one; stand-ins are named; the first one compares to nothing', () => {
  expect(text(page('v1.36.2+k3s1'))).toContain('Yanked. loses &lt;IPv6&gt; addresses &amp; routes');
  expect(text(page('v1.36.2+k3s1'))).toContain('v1.36.3+k3s1 is newer.');
  expect(page('v1.36.2+k3s1')).not.toContain('<form');
  expect(text(page('v1.35.6+k3s1'))).toContain('Test equipment.');
  expect(text(page('v1.34.7+k3s1'))).toContain('The catalog has no earlier release to compare it with.');
  expect(text(page('v1.36.1+k0s.0'))).toContain('The catalog has no earlier release to compare it with.');
});

test('every link within the site leads to a file of it, and nothing is loaded from elsewhere', () => {
  for (const file of files(output).filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(file, 'utf8');
    for (const [, attribute, target = ''] of html.matchAll(/ (href|src)="([^"#]+)/g)) {
      if (attribute === 'src' || !/^(https?|data):/.test(target))
        expect(existsSync(join(file, '..', target)), `${file}: ${target}`).toBe(true);
    }
  }
  expect(readFileSync(join(output, 'assets/site.css'), 'utf8')).not.toMatch(/@import|url\(/);
});

test('the folder is the catalog, too, and the same catalog gives the same bytes', async () => {
  for (const name of ['sextant-catalog.json', 'sextant-catalog.json.sig', 'releases.json'])
    expect(readFileSync(join(output, name)).equals(readFileSync(join(example.folder, name)))).toBe(true);
  const before = digest();
  await build({ url: 'https://example.org/k8s' });
  expect(digest()).toEqual(before);
});

test('a page with all that it loads is under 200 kB, however much a release holds', async () => {
  const names = Array.from(
    { length: 400 },
    (_, number) => `/usr/lib/systemd/system/a-unit-with-quite-a-long-name-${number}.service`,
  );
  const crowded = (byte: number) => Object.fromEntries(names.map((name) => [name, [byte, 'hook'] as const]));
  const folder = join(there, 'crowded');
  for (const [patch, byte] of [
    [1, 100],
    [2, 200],
  ] as const) {
    const version = `v1.30.${patch}+k3s1`;
    const release = join(folder, version);
    await makeRelease(
      release,
      { version, files: crowded(byte), architectures: ['amd64', 'arm64'], signing: example.signer },
      example.context,
    );
    await addReleases({ folder: join(folder, 'catalog'), releases: [release] }, example.context);
  }
  const site = join(folder, 'site');
  await buildSite({ catalog: join(folder, 'catalog'), output: site, context: example.context });
  const size = (...paths: string[]) =>
    paths.reduce((sum, name) => sum + readFileSync(join(site, name)).length, 0);
  expect(size('index.html', 'assets/index.js', 'assets/site.css')).toBeLessThan(200_000);
  expect(
    size('releases/provider-kairos-v1.30.2_k3s1.html', 'assets/release.js', 'assets/site.css'),
  ).toBeLessThan(200_000);
  const said = text(readFileSync(join(site, 'releases/provider-kairos-v1.30.2_k3s1.html'), 'utf8'));
  expect(said).toContain('400 files differ');
  expect(said).toContain('and 350 more');
  expect(said).toContain('and 350 smaller ones');
});

test('a folder with something else in it, a catalog by another key, and an address that is none are refused, and nothing is left', async () => {
  const foreign = mkdtempSync(join(there, 'foreign-'));
  writeFileSync(join(foreign, 'index.html'), 'mine');
  await expect(build({ output: foreign })).rejects.toThrow('holds files that are not a site of sextant');
  const fresh = join(there, 'fresh/site');
  await expect(build({ output: fresh, url: 'example.org' })).rejects.toMatchObject({ code: 'usage' });
  writeFileSync(join(there, 'none.pem'), 'x');
  await expect(build({ output: fresh, trust: join(there, 'none.pem') })).rejects.toMatchObject({
    code: 'input',
  });
  expect(existsSync(fresh)).toBe(false);
  expect(readdirSync(there).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  await build({ trust: example.signer.certificate });
});
