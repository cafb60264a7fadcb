import { describe, expect, it } from 'vitest';
import { dependencyClosure, indexPackages } from '../../../src/sources/debian/closure.ts';
import { type Package, parseDependencies, parsePackages } from '../../../src/sources/debian/control.ts';

const item = (name: string, version: string, depends = '', provides = ''): Package => ({
  name,
  version,
  architecture: 'amd64',
  filename: `pool/main/${name}.deb`,
  size: 1,
  sha256: '0'.repeat(64),
  depends,
  provides,
});
const closure = (requested: string[], packages: Package[]) =>
  dependencyClosure(requested, indexPackages(packages), 'the test').map(
    ({ name, version }) => `${name} ${version}`,
  );

describe('dependency closure', () => {
  it('follows dependencies, also in circles', () => {
    const packages = [item('a', '1', 'b'), item('b', '1', 'c, a'), item('c', '1'), item('d', '1')];
    expect(closure(['a'], packages)).toEqual(['a 1', 'b 1', 'c 1']);
  });
  it('takes the newest version that satisfies a constraint', () => {
    const packages = [item('a', '1', 'b (<< 2)'), item('b', '1'), item('b', '1.5'), item('b', '2')];
    expect(closure(['a'], packages)).toEqual(['a 1', 'b 1.5']);
  });
  it('takes the first alternative that can be satisfied', () => {
    expect(closure(['a'], [item('a', '1', 'x | y (>= 3) | z'), item('y', '2'), item('z', '1')])).toEqual([
      'a 1',
      'z 1',
    ]);
  });
  it('takes no further alternative when one is asked for anyway', () => {
    const packages = [item('a', '1', 'awk'), item('gawk', '5', '', 'awk'), item('mawk', '1', '', 'awk')];
    expect(closure(['a', 'mawk'], packages)).toEqual(['a 1', 'mawk 1']);
    expect(closure(['a'], packages)).toEqual(['a 1', 'gawk 5']);
  });
  it('lets only a versioned Provides satisfy a versioned dependency', () => {
    const packages = [item('a', '1', 'v (>= 2)'), item('p', '9', '', 'v'), item('q', '9', '', 'v (= 2.1)')];
    expect(closure(['a'], packages)).toEqual(['a 1', 'q 9']);
  });
  it('names who needs what is not there', () => {
    expect(() => closure(['a'], [item('a', '1', 'b'), item('b', '2', 'c (>= 1) | d')])).toThrow(
      'the test: b 2 needs c (>= 1) | d, which is not there',
    );
    expect(() => closure(['nothing'], [])).toThrow('Debian package nothing is not in the test');
  });
});

describe('Debian control data', () => {
  it('reads qualifiers, constraints and alternatives', () => {
    expect(parseDependencies('perl:any, libc6 (>= 2.38) | musl, foo[amd64]')).toEqual([
      [{ name: 'perl' }],
      [{ name: 'libc6', constraint: { relation: '>=', version: '2.38' } }, { name: 'musl' }],
      [{ name: 'foo' }],
    ]);
  });
  it.each(['a b', 'A', 'a (> 1)', '(>= 1)', 'a (>= )'])('refuses the dependency %j', (text) => {
    expect(() => parseDependencies(text)).toThrow('not a Debian dependency');
  });
  const paragraph = (changes: Record<string, string>) =>
    Object.entries({
      Package: 'a',
      Version: '1',
      Architecture: 'all',
      Filename: 'pool/main/a/a/a_1_all.deb',
      Size: '3',
      SHA256: 'a'.repeat(64),
      ...changes,
    })
      .map(([name, value]) => `${name}: ${value}\n`)
      .join('');
  it('joins Pre-Depends and Depends', () => {
    expect(parsePackages(paragraph({ Depends: 'c', 'Pre-Depends': 'b' }))[0]?.depends).toBe('b, c');
  });
  it.each([
    { Filename: 'pool/../../etc/a.deb' },
    { Filename: '/etc/a.deb' },
    { Filename: 'pool/main/a.deb?x' },
    { Size: '-1' },
    { Size: '1e99' },
    { SHA256: 'a' },
    { Version: '' },
  ])('refuses %j', (changes) => {
    expect(() => parsePackages(paragraph(changes as unknown as Record<string, string>))).toThrow('malformed');
  });
});
