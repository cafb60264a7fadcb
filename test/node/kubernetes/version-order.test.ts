import fc from 'fast-check';
import { compareBuild } from 'semver';
import { expect, test } from 'vitest';
import { compareVersions, isPrerelease } from '../../../src/node/kubernetes/version-order.ts';

test('versions are ordered as people mean them', () => {
  const sorted = [
    'nonsense',
    'v1.33.9+k3s1',
    'v1.33.10-rc1+k3s1',
    'v1.33.10-rc2+k3s1',
    'v1.33.10-rc10+k3s1',
    'v1.33.10+k0s.0',
    'v1.33.10+k3s1',
    'v1.33.10+k3s2',
    'v1.33.10+k3s10',
    'v1.34.0+k3s1',
    'v2.0.0+k3s1',
  ];
  expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
});

test('it is the order of Semantic Versioning, where that says anything', () => {
  const version = fc
    .tuple(fc.nat(40), fc.nat(40), fc.nat(40), fc.constantFrom('', '-rc1', '-rc2', '-beta.0', '-alpha.1'))
    .map(([major, minor, patch, rest]) => `v${major}.${minor}.${patch}${rest}+k3s1`);
  fc.assert(
    fc.property(version, version, (left, right) => {
      expect(Math.sign(compareVersions(left, right))).toBe(compareBuild(left, right));
    }),
  );
});

test('a release candidate is told from a release', () => {
  expect(isPrerelease('v1.34.0-rc1+k3s1')).toBe(true);
  expect(isPrerelease('v1.34.0+k3s1')).toBe(false);
});
