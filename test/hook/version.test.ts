import { describe, expect, it } from 'vitest';
import { checkVersion } from '../../src/hook/version.ts';

describe("a provider's version", () => {
  it.each([
    ['k3s', 'v1.36.3+k3s1', 'v1.36.3+k3s1', true],
    ['k3s', 'v1.36.3+k3s1', '1.36.3+k3s1', true],
    ['k3s', 'v1.36.3+k3s1', 'v1.36.3%2Bk3s1', true],
    ['k3s', 'v1.36.3+k3s1', 'v1.36.3+k3s2', false],
    ['k3s', 'v1.36.3+k3s1', 'v1.36.3', false],
    ['k3s', 'v1.36.3+k3s10', 'v1.36.3+k3s1', false],
    ['k3s', '', '', false],
    ['k0s', 'v1.36.3+k0s.0', 'v1.36.3+k0s.0', true],
    ['k0s', 'WARN something\nv1.36.3+k0s.0', '1.36.3+k0s.0', true],
    ['k0s', 'v1.36.3+k0s.1', 'v1.36.3+k0s.0', false],
    ['kubeadm', 'v1.36.3', 'v1.36.3', true],
    ['kubeadm', 'other\nv1.36.3', 'v1.36.3', false],
  ])('of %s, reported as %j, against %j in the recipe: %s', (distribution, reported, expected, same) => {
    expect(checkVersion(distribution, reported, expected)).toBe(same);
  });
});
