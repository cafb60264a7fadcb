import { expect, test } from 'vitest';
import type { Lock } from '../../../src/lock/types.ts';
import { lockChange } from '../../../src/release/upstream/lock-change.ts';

const blob = (name: string, size: number) => ({
  url: `https://x/${name}`,
  size,
  sha256: name.padEnd(64, '0'),
});

function lockOf(
  k3s: string,
  edgevpn: string,
  files: readonly { url: string; size: number; sha256: string }[],
): Lock {
  return {
    lockVersion: 1,
    recipe: '0'.repeat(64),
    distribution: { name: 'k3s', version: k3s },
    tools: { erofs: {}, qemu: {}, hookRoot: {} },
    architectures: {
      amd64: {
        components: [
          { name: 'edgevpn', type: 'github-release', version: edgevpn, inputs: files.slice(0, 1) },
        ],
        hookDownloads: files.slice(1),
      },
    },
  };
}

test('two locks differ by versions, and by the files that only one of them pins', () => {
  const before = lockOf('v1.36.3+k3s1', 'v0.35.3', [blob('a', 10), blob('b', 20)]);
  const after = lockOf('v1.36.4+k3s1', 'v0.35.3', [blob('a', 10), blob('c', 25), blob('d', 1)]);
  expect(lockChange(before, after)).toEqual({
    versions: [{ name: 'k3s', before: 'v1.36.3+k3s1', after: 'v1.36.4+k3s1' }],
    added: { files: 2, bytes: 26 },
    removed: { files: 1, bytes: 20 },
  });
});

test('a lock against itself has no change, and the first one is all new', () => {
  const lock = lockOf('v1.36.3+k3s1', 'v0.35.3', [blob('a', 10)]);
  expect(lockChange(lock, lock)).toEqual({
    versions: [],
    added: { files: 0, bytes: 0 },
    removed: { files: 0, bytes: 0 },
  });
  expect(lockChange(undefined, lock)).toMatchObject({
    versions: [
      { name: 'k3s', before: '', after: 'v1.36.3+k3s1' },
      { name: 'edgevpn', before: '', after: 'v0.35.3' },
    ],
    added: { files: 1, bytes: 10 },
  });
});
