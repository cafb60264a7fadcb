import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fits, type Query, queryHash, queryOf, type Row } from '../../../src/release/site/page/filter.ts';

const row = (more: Partial<Row> = {}): Row => ({
  text: 'v1.36.3+k3s1 k3s amd64, arm64 128.0 MiB yes 2026-11-27 1.36',
  distribution: 'k3s',
  minor: '1.36',
  architectures: ['amd64', 'arm64'],
  yanked: false,
  ...more,
});
const query = (more: Partial<Query> = {}): Query => ({ ...queryOf(''), ...more });

test.each([
  [{}, true],
  [{ text: '1.36 K3S' }, true],
  [{ text: '  1.36   arm ' }, true],
  [{ text: '1.36 k0s' }, false],
  [{ distribution: 'k3s' }, true],
  [{ distribution: 'k0s' }, false],
  [{ minor: '1.36' }, true],
  [{ minor: '1.3' }, false],
  [{ architecture: 'arm64' }, true],
  [{ architecture: 'riscv64' }, false],
])('%j of a release: %s', (more, found) => {
  expect(fits(row(), query(more))).toBe(found);
});

test('a yanked release is hidden only when it is not wanted', () => {
  expect(fits(row({ yanked: true }), query())).toBe(true);
  expect(fits(row({ yanked: true }), query({ yanked: false }))).toBe(false);
});

test('a query in an address is the same query again, and one that hides nothing leaves it clean', () => {
  expect(queryHash(query())).toBe('');
  const words = fc.string().map((text) => text.trim());
  fc.assert(
    fc.property(words, words, words, fc.boolean(), (text, distribution, minor, yanked) => {
      const asked = query({ text, distribution, minor, yanked });
      expect(queryOf(`#${queryHash(asked)}`)).toEqual(asked);
    }),
  );
});
