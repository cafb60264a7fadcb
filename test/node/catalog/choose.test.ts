import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Chooser, chooseRelease } from '../../../src/node/catalog/choose.ts';
import type { ListedRelease } from '../../../src/node/catalog/parse.ts';
import { versionProblem } from '../../../src/node/kubernetes/rules.ts';
import { compareVersions } from '../../../src/node/kubernetes/version-order.ts';
import { minor } from '../../../src/node/model/datastore.ts';
import { listed } from './example.ts';

const node = (runs: string, more: Partial<Chooser> = {}): Chooser => ({
  runs,
  names: ['provider-kairos'],
  architecture: 'amd64',
  systemd: 257,
  kairos: 'v4.1.0',
  bad: new Set(),
  problem: (to) => versionProblem({ from: runs, to, role: 'server', cluster: null, datastore: runs }),
  ...more,
});
const choose = (releases: readonly ListedRelease[], wanted: string | undefined, chooser: Chooser) =>
  chooseRelease({ serial: 1, releases }, wanted, chooser, 'the catalog');

const VERSIONS = [
  'v1.32.9+k3s1',
  'v1.33.4+k3s1',
  'v1.33.10+k3s1',
  'v1.34.1+k3s1',
  'v1.34.1+k3s2',
  'v1.35.0+k3s1',
  'v1.34.9+k0s.0',
];
const all = VERSIONS.map((version) => listed(version));

describe('without --to', () => {
  test('it is the newest of the next minor version, and what skips one is passed over by name', () => {
    const { release, passed } = choose(all, undefined, node('v1.33.4+k3s1'));
    expect(release?.version).toBe('v1.34.1+k3s2');
    expect(passed).toEqual([
      'v1.35.0+k3s1: from Kubernetes v1.33.4+k3s1 to v1.35.0+k3s1 skips a minor version, which Kubernetes does not allow',
    ]);
  });

  test.each([
    ['yanked', { yanked: 'breaks IPv6' }, 'yanked: breaks IPv6'],
    ['for a newer systemd', { systemd: 258 }, 'needs systemd 258, this node has 257'],
    ['for a newer Kairos', { kairos: 'v4.10.0' }, 'needs Kairos v4.10.0, this node has v4.1.0'],
    [
      'without an image for this node',
      { images: listed('x').images.map((image) => ({ ...image, architecture: 'arm64' })) },
      'has no image for amd64',
    ],
  ])('one that is %s is passed over, and why is said', (_name, more, why) => {
    const releases = [listed('v1.33.9+k3s1'), listed('v1.33.10+k3s1', more)];
    const { release, passed } = choose(releases, undefined, node('v1.33.4+k3s1'));
    expect(release?.version).toBe('v1.33.9+k3s1');
    expect(passed).toEqual([`v1.33.10+k3s1: ${why}`]);
  });

  test('one that was bad here is passed over', () => {
    const [image] = all[3]?.images ?? [];
    const bad = new Set([image?.sha256 ?? '']);
    const releases = all.filter(({ version }) => version !== 'v1.34.1+k3s2');
    expect(choose(releases, undefined, node('v1.33.4+k3s1', { bad })).release?.version).toBe('v1.33.10+k3s1');
  });

  test('a release candidate is taken only by its name', () => {
    const releases = [listed('v1.33.4+k3s1'), listed('v1.34.0-rc1+k3s1')];
    expect(choose(releases, undefined, node('v1.33.4+k3s1')).release).toBeNull();
    expect(choose(releases, 'v1.34.0-rc1+k3s1', node('v1.33.4+k3s1')).release?.version).toBe(
      'v1.34.0-rc1+k3s1',
    );
  });

  test('nothing newer is no release, also where what runs is newer than all, and a yanked one that runs is told', () => {
    expect(choose(all, undefined, node('v1.35.0+k3s1')).release).toBeNull();
    expect(choose(all, undefined, node('v1.35.7+k3s1')).release).toBeNull();
    const yanked = [listed('v1.33.4+k3s1', { yanked: 'breaks IPv6' })];
    expect(choose(yanked, undefined, node('v1.33.4+k3s1'))).toMatchObject({
      release: null,
      runsYanked: 'breaks IPv6',
    });
  });

  test('an unknown systemd or Kairos is no reason against a release', () => {
    const chooser = node('v1.33.4+k3s1', { systemd: 0, kairos: '' });
    expect(choose(all, undefined, chooser).release?.version).toBe('v1.34.1+k3s2');
  });
});

describe('--to', () => {
  test('a minor version is the newest of it', () => {
    expect(choose(all, '1.33', node('v1.33.4+k3s1')).release?.version).toBe('v1.33.10+k3s1');
    expect(choose(all, 'v1.34', node('v1.33.4+k3s1')).release?.version).toBe('v1.34.1+k3s2');
  });

  test('a whole version is that one, the v and what follows the plus left out or not', () => {
    for (const wanted of ['v1.33.10+k3s1', '1.33.10+k3s1', '1.33.10'])
      expect(choose(all, wanted, node('v1.33.4+k3s1')).release?.version).toBe('v1.33.10+k3s1');
    // Of two rebuilds the newer one.
    expect(choose(all, '1.34.1', node('v1.33.4+k3s1')).release?.version).toBe('v1.34.1+k3s2');
  });

  test.each([
    ['1.36', 'input', 'has no release 1.36'],
    ['v1.34.9+k0s.0', 'input', 'has no release v1.34.9+k0s.0 of what this node runs'],
    [
      '1.35',
      'refused',
      'none of 1.35 is for this node: v1.35.0+k3s1: from Kubernetes v1.33.4+k3s1 to v1.35.0+k3s1 skips',
    ],
    ['1.32', 'refused', 'the newest of 1.32 is v1.32.9+k3s1, older than what runs'],
  ])('%s is refused in one line', (wanted, code, said) => {
    const attempt = () => choose(all, wanted, node('v1.33.4+k3s1'));
    expect(attempt).toThrow(expect.objectContaining({ code, message: expect.stringContaining(said) }));
  });

  test('a yanked one is refused with its reason, by its version and by its minor version', () => {
    const releases = [listed('v1.33.4+k3s1'), listed('v1.34.0+k3s1', { yanked: 'breaks IPv6' })];
    for (const [wanted, said] of [
      ['v1.34.0+k3s1', 'v1.34.0+k3s1 was yanked: breaks IPv6'],
      ['1.34', 'none of 1.34 is for this node: v1.34.0+k3s1: yanked: breaks IPv6'],
    ])
      expect(() => choose(releases, wanted, node('v1.33.4+k3s1'))).toThrow(said);
  });
});

test('whatever a catalog holds, what is chosen is newer, not yanked, and skips no minor version', () => {
  const version = fc.tuple(
    fc.integer({ min: 30, max: 37 }),
    fc.nat(12),
    fc.constantFrom('', '-rc1'),
    fc.integer({ min: 1, max: 3 }),
  );
  const release = fc
    .tuple(version, fc.boolean(), fc.constantFrom('amd64', 'arm64'), fc.constantFrom('k3s', 'k0s.'))
    .map(([[m, patch, rc, build], yanked, architecture, kind]) =>
      listed(`v1.${m}.${patch}${rc}+${kind}${build}`, {
        yanked: yanked ? 'x' : null,
        images: listed('x').images.map((image) => ({ ...image, architecture })),
      }),
    );
  fc.assert(
    fc.property(fc.array(release, { maxLength: 30 }), fc.integer({ min: 30, max: 36 }), (releases, at) => {
      const runs = `v1.${at}.5+k3s1`;
      const chosen = choose(releases, undefined, node(runs)).release;
      const fits = (one: ListedRelease) =>
        compareVersions(one.version, runs) > 0 &&
        one.yanked === null &&
        !one.version.includes('-rc') &&
        one.distribution === 'k3s' &&
        one.images[0]?.architecture === 'amd64' &&
        minor(one.version) <= minor(runs) + 1;
      if (chosen === null) expect(releases.some(fits)).toBe(false);
      else {
        expect(fits(chosen)).toBe(true);
        expect(releases.filter(fits).every((one) => compareVersions(one.version, chosen.version) <= 0)).toBe(
          true,
        );
      }
    }),
  );
});
