import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { releaseContents } from '../../../src/release/publish/contents.ts';
import { parseTarget } from '../../../src/release/publish/target.ts';
import { silent } from '../../../src/support/progress.ts';
import { tagOfVersion } from '../../../src/support/registry/blob-address.ts';
import { errorOf } from '../../sources/context.ts';
import { exampleRelease, imageName } from './example.ts';

let dist: string;
beforeEach(() => {
  dist = exampleRelease(mkdtempSync(join(tmpdir(), 'sextant-contents-')), { size: 1000, signature: 's' });
});
afterEach(() => rmSync(dist, { recursive: true, force: true }));

const contents = () =>
  releaseContents(dist, { cache: dist, progress: silent, signal: new AbortController().signal });

describe('what is published', () => {
  test('is what SHA256SUMS lists, it and its signature, what nodes act on last', async () => {
    writeFileSync(join(dist, 'notes.txt'), 'mine');
    const { files, others } = await contents();
    expect(files.map(({ name }) => name)).toEqual([
      imageName('amd64'),
      imageName('arm64'),
      ...['amd64.spdx.json', 'amd64.sysext.roothash', 'arm64.spdx.json', 'arm64.sysext.roothash'].map(
        (end) => `provider-kairos-v1.36.3+k3s0-${end}`,
      ),
      ...['SHA256SUMS', 'SHA256SUMS.sig', 'release.json', 'activation.yaml'],
    ]);
    expect(others).toEqual(['notes.txt']);
  });

  test.each<[string, () => void, RegExp]>([
    [
      'a changed file',
      () => appendFileSync(join(dist, imageName('amd64')), 'x'),
      /amd64.sysext.raw: SHA-256 is .*, SHA256SUMS says/,
    ],
    [
      'a missing file',
      () => rmSync(join(dist, 'activation.yaml')),
      /activation.yaml: is missing, SHA256SUMS lists it/,
    ],
    ['no checksums', () => rmSync(join(dist, 'SHA256SUMS')), /has no SHA256SUMS/],
    [
      'an image that the checksums do not list',
      () => {
        const sums = join(dist, 'SHA256SUMS');
        writeFileSync(sums, readFileSync(sums, 'utf8').replace(/.*arm64.sysext.raw\n/, ''));
      },
      /does not list .*arm64.sysext.raw/,
    ],
    [
      'checksums that leave the folder',
      () => appendFileSync(join(dist, 'SHA256SUMS'), `${'0'.repeat(64)}  ../x\n`),
      /malformed line/,
    ],
  ])('is not %s', async (_, harm, message) => {
    harm();
    const error = await errorOf(contents());
    expect(error.code).toBe('verification');
    expect(error.message).toMatch(message);
  });

  test('is a release', async () => {
    rmSync(join(dist, 'release.json'));
    expect((await errorOf(contents())).message).toContain('there is no release here');
  });
});

describe('a target is', () => {
  test.each([
    ['oci://ghcr.io/acme/k8s', { kind: 'registry', tag: undefined }],
    ['oci:ghcr.io/acme/k8s:v1', { kind: 'registry', tag: 'v1' }],
    ['oci://localhost:5000/k8s', { kind: 'registry', tag: undefined }],
    ['oci://127.0.0.1:5000/k8s:a', { kind: 'registry', tag: 'a' }],
    [
      'github:acme/k8s@v1.36.3+k3s1',
      { kind: 'github', owner: 'acme', repository: 'k8s', tag: 'v1.36.3+k3s1' },
    ],
    ['github:acme/k8s@refs/tags/v1', { kind: 'github', tag: 'v1' }],
    ['/srv/www/', { kind: 'folder', path: '/srv/www' }],
    ['./site', { kind: 'folder', path: './site' }],
    ['/', { kind: 'folder', path: '/' }],
  ])('%s', (text, expected) => {
    expect(parseTarget(text)).toMatchObject(expected);
  });

  test.each([
    ['oci://acme/k8s', 'the registry is missing'],
    ['oci://k8s', 'the registry is missing'],
    [`oci://ghcr.io/a@sha256:${'0'.repeat(64)}`, 'a digest comes out of publishing'],
    ['oci://ghcr.io/Acme', 'is not a repository name'],
    ['github:acme', 'not OWNER/REPOSITORY'],
    ['github:acme/k8s', 'the tag of the release is missing'],
    ['https://example.org/x', 'cannot be published to'],
    ['s3://bucket', 'cannot be published to'],
  ])('not %s', (text, message) => {
    expect(() => parseTarget(text)).toThrow(message);
  });

  test('a tag has no place for a plus', () => {
    expect(tagOfVersion('v1.36.3+k3s1')).toBe('v1.36.3-k3s1');
  });
});
