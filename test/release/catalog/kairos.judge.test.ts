import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kairosCatalog } from '../../../src/release/catalog/kairos.ts';
import type { CatalogRelease } from '../../../src/release/catalog/types.ts';
import { cacheFolder } from '../../../src/support/context.ts';

// The reader itself, sdk/extensions of github.com/kairos-io/kairos, is in no registry that tests reach: its rules are held here as its
// documentation has them, with the very library that it compares versions by. That the fields have the right names is catalog.test.ts's.
const judge = join(cacheFolder(), 'judges/go/bin/semver-judge');

const release = (version: string, more: object = {}) =>
  ({
    name: 'provider-kairos',
    version,
    distribution: version.includes('k0s') ? 'k0s' : 'k3s',
    standin: false,
    images: [{ architecture: 'amd64', oci: `r.example.org/k8s@sha256:${'a'.repeat(64)}` }],
    ...more,
  }) as unknown as CatalogRelease;

/** What `install.extensions: [NAME@ASKED]` installs. */
function chosen(name: string, asked: string, releases: readonly CatalogRelease[]): string {
  const { layers } = kairosCatalog({ schemaVersion: 1, title: 'x', serial: 1, certificates: {}, releases });
  const tags = layers.find((layer) => layer.name === name)?.tags.map(({ tag }) => tag) ?? [];
  return execFileSync(judge, [asked], { input: tags.join('\n'), encoding: 'utf8' }).trim();
}

const releases = [
  release('v1.35.9+k3s1'),
  release('v1.36.2+k3s1'),
  release('v1.36.3+k3s1'),
  release('v1.36.3+k3s2'),
  release('v1.36.4+k3s1', { yanked: { why: 'x', date: '2026-11-27', since: 2 } }),
  release('v1.37.0-rc1+k3s1'),
  release('v1.36.9+k0s.0'),
];

test.each([
  ['provider-kairos', '1.36', 'v1.36.3+k3s2'],
  ['provider-kairos', '1.35', 'v1.35.9+k3s1'],
  ['provider-kairos', '>= 1.35, < 1.36', 'v1.35.9+k3s1'],
  ['provider-kairos', '^1.35', 'v1.36.3+k3s2'],
  ['provider-kairos', 'v1.36.3+k3s1', 'v1.36.3+k3s1'],
  ['provider-kairos', 'v1.37.0-rc1+k3s1', 'v1.37.0-rc1+k3s1'],
  ['provider-kairos-k0s', '1.36', 'v1.36.9+k0s.0'],
])('%s@%s is %s: the newest that is not yanked, of that distribution', (name, asked, version) => {
  expect(chosen(name, asked, releases)).toBe(version);
});

test('a yanked release is not there, however it is asked for', () => {
  expect(() => chosen('provider-kairos', '1.36.4', releases)).toThrow();
});
