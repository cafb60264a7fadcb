import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, satisfies } from '../../../src/sources/debian/version.ts';

const part = fc.array(fc.constantFrom('0', '1', '9', '10', '007', 'a', 'Z', 'rc', '~', '+', '.', '~~'), {
  minLength: 1,
  maxLength: 6,
});
const version = fc
  .tuple(fc.option(fc.nat({ max: 3 })), part, fc.option(part))
  .map(
    ([epoch, upstream, revision]) =>
      `${epoch === null ? '' : `${epoch}:`}1${upstream.join('')}${revision === null ? '' : `-${revision.join('')}`}`,
  );

describe('Debian version comparison', () => {
  it.each([
    ['1.0', '<<', '1.1'],
    ['1.0~rc1', '<<', '1.0'],
    ['1.0~~', '<<', '1.0~'],
    ['1.0', '<<', '1.0+b1'],
    ['1.0', '<<', '1.0a'],
    ['1.0a', '<<', '1.0+'],
    ['1.9', '<<', '1.10'],
    ['1.010', '=', '1.10'],
    ['9', '<<', '1:0'],
    ['0:1', '=', '1'],
    ['1-0', '=', '1'],
    ['1.0-1', '<<', '1.0-1+deb13u1'],
    ['10.0.13+ds-0+deb13u1', '>>', '10.0.2+ds-2'],
    ['99999999999999999999', '<<', '100000000000000000000'],
    ['1-2-3', '>>', '1-2-1'],
  ] as const)('says %s %s %s', (a, relation, b) => {
    expect(satisfies(a, relation, b)).toBe(true);
  });

  it('is an order: antisymmetric, transitive, and every version equals itself', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareVersions(a, a)).toBe(0);
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  it('puts a tilde suffix before and any other suffix after', () => {
    fc.assert(
      fc.property(version, (a) => {
        expect(compareVersions(`${a}~`, a)).toBeLessThan(0);
        expect(compareVersions(`${a}+x`, a)).toBeGreaterThan(0);
      }),
    );
  });

  it('agrees with dpkg', () => {
    for (const [a, b] of fc.sample(fc.tuple(version, version), 150)) {
      const order = compareVersions(a, b);
      const relation = order < 0 ? 'lt' : order > 0 ? 'gt' : 'eq';
      try {
        execFileSync('dpkg', ['--compare-versions', a, relation, b], { stdio: 'ignore' });
      } catch {
        throw new Error(`dpkg does not say ${a} ${relation} ${b}`);
      }
    }
  });
});
