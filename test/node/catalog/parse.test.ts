import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCatalog } from '../../../src/node/catalog/parse.ts';
import { listedPlace } from '../../../src/node/catalog/place.ts';
import { Failure } from '../../../src/node/failure.ts';
import { catalogText, listed } from './example.ts';

const releases = [listed('v1.34.1+k3s1', { yanked: 'breaks IPv6' }), listed('v1.33.4+k3s1')];
const good = JSON.parse(catalogText(7, releases));

test('a catalog as `sextant catalog` writes it is read', () => {
  expect(parseCatalog(JSON.stringify(good), 'here')).toEqual({ serial: 7, releases });
});

describe('one line for a catalog that', () => {
  const withRelease = (more: object) => ({ ...good, releases: [{ ...good.releases[0], ...more }] });
  test.each([
    ['is cut short', JSON.stringify(good).slice(0, 300), 'here: not JSON; it is cut short, or no catalog'],
    ['is a login page', '<!DOCTYPE html><html>', 'here: a web page'],
    [
      'is of a later version',
      JSON.stringify({ ...good, schemaVersion: 2 }),
      'here: not a catalog of version 1',
    ],
    ['has no serial', JSON.stringify({ ...good, serial: '7' }), 'serial: a whole number expected'],
    ['has no releases', JSON.stringify({ ...good, releases: {} }), 'releases: a list expected'],
    ['has a release that is none', JSON.stringify({ ...good, releases: [null] }), 'releases[0].address'],
    [
      'leads to a script',
      JSON.stringify(withRelease({ address: 'file:///etc' })),
      'releases[0].address: an http(s) address',
    ],
    [
      'leads to another host unsaid',
      JSON.stringify(withRelease({ address: '//x.org/y' })),
      'releases[0].address',
    ],
    [
      'leads out of its folder by a name',
      JSON.stringify(withRelease({ images: [{ ...good.releases[0].images[0], file: '../x' }] })),
      'releases[0].images[0].file',
    ],
    [
      'has a digest that is none',
      JSON.stringify(withRelease({ images: [{ ...good.releases[0].images[0], sha256: 'A' }] })),
      'releases[0].images[0].sha256',
    ],
    [
      'needs a systemd that is no number',
      JSON.stringify(withRelease({ requires: { systemd: 'new' } })),
      'requires.systemd',
    ],
  ])('%s', (_name, text, said) => {
    expect(() => parseCatalog(text, 'here')).toThrow(said);
  });

  test('is anything else, too', () => {
    const text = JSON.stringify(good);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 4 }), fc.nat(6), (at, put, less) => {
        try {
          parseCatalog(text.slice(0, at) + put + text.slice(at + less), 'here');
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });

  test('a mark of a yanked release that cannot be read is a mark all the same', () => {
    const [first] = parseCatalog(JSON.stringify(withRelease({ yanked: 3 })), 'here').releases;
    expect(first?.yanked).toBe('no reason is given');
  });
});

test.each([
  [
    'https://h.org/a/sextant-catalog.json',
    'https://x.org/k8s/v1/',
    'address',
    'https://x.org/k8s/v1/release.json',
  ],
  [
    'https://h.org/a/sextant-catalog.json',
    'v1.36.3+k3s1',
    'address',
    'https://h.org/a/v1.36.3+k3s1/release.json',
  ],
  ['https://h.org/a/sextant-catalog.json', '../k8s/./v1', 'address', 'https://h.org/k8s/v1/release.json'],
  ['https://h.org/a/sextant-catalog.json', '../../../../v1', 'address', 'https://h.org/v1/release.json'],
  ['https://h.org/a/c.json?token=x', 'v1', 'address', 'https://h.org/a/v1/release.json?token=x'],
  ['/media/stick/sextant-catalog.json', 'v1', 'file', '/media/stick/v1/release.json'],
  ['/media/stick/sextant-catalog.json', '../v1', 'file', '/media/v1/release.json'],
])('a release of %s at %s is at %s %s', (catalog, address, kind, release) => {
  expect(listedPlace(catalog, address)).toEqual({ kind, release });
});
