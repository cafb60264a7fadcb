import { describe, expect, test } from 'vitest';
import { releasePlace, sameVersion } from '../../../src/node/download/address.ts';
import { imageFor, parseRelease } from '../../../src/node/download/release.ts';
import { shownAddress } from '../../../src/node/download/shown-address.ts';
import { Failure } from '../../../src/node/failure.ts';
import { expectGolden } from '../../golden.ts';
import { releaseText } from './example.ts';

const known = {
  url: 'https://user:secret@example.org/k/v1.33.4%2Bk3s1/provider-kairos-1.33.4+k3s1-amd64.sysext.raw',
  version: 'v1.33.4+k3s1',
};
const said = (work: () => unknown): string => {
  try {
    return `unexpectedly fine: ${JSON.stringify(work())}`;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `${error.code}\n  error: ${error.message}\n  hint: ${error.hint}`;
  }
};

describe('--to means', () => {
  test.for<[string, string | undefined, object]>([
    [
      'the known address, without it',
      undefined,
      { kind: 'address', release: `${known.url.replace(/[^/]*$/, '')}release.json` },
    ],
    [
      'another version of it',
      'v1.33.5+k3s1',
      { kind: 'address', release: 'https://user:secret@example.org/k/v1.33.5%2Bk3s1/release.json' },
    ],
    [
      'a version without its v',
      '1.33.5+k3s1',
      { kind: 'address', release: 'https://user:secret@example.org/k/v1.33.5%2Bk3s1/release.json' },
    ],
    ['a folder at an address', 'http://h/x/', { kind: 'address', release: 'http://h/x/release.json' }],
    [
      'an address with a query',
      'http://h/x?token=1',
      { kind: 'address', release: 'http://h/x/release.json?token=1' },
    ],
    ['a file', './dist/release.json', { kind: 'file', release: './dist/release.json' }],
    ['a folder', '/media/stick/', { kind: 'file', release: '/media/stick/release.json' }],
  ])('%s', ([_, to, place]) => {
    expect(releasePlace(to, known)).toEqual(place);
  });

  test('versions are the same with and without a v, and passwords are not shown', () => {
    expect(sameVersion('v1.2.3', '1.2.3')).toBe(true);
    expect(shownAddress(`${known.url}?token=1`)).toBe(
      'https://example.org/k/v1.33.4%2Bk3s1/provider-kairos-1.33.4+k3s1-amd64.sysext.raw?...',
    );
  });
});

test('a release is read with what a node needs of it', () => {
  const release = parseRelease(releaseText(Buffer.from('x')), 'release.json');
  expect(release).toMatchObject({ name: 'provider-kairos', version: 'v1.33.5+k3s1', distribution: 'k3s' });
  expect(imageFor(release, 'amd64', 'release.json').size).toBe(1);
});

test('every refusal says what is wrong and what to do', () => {
  const text = releaseText(Buffer.from('x'));
  const change = (edit: (value: Record<string, unknown>) => void) => {
    const value = JSON.parse(text) as Record<string, unknown>;
    edit(value);
    return () => parseRelease(JSON.stringify(value), 'https://h/release.json');
  };
  const image = (fields: object) =>
    change((value) => {
      value.images = [{ ...(value.images as object[])[0], ...fields }];
    });
  const cases: [string, () => unknown][] = [
    ['a registry without a tag', () => releasePlace('oci://r.example.org/k', known)],
    ['another scheme', () => releasePlace('ftp://h/x', known)],
    ['an image alone', () => releasePlace('./a.sysext.raw', known)],
    ['a word', () => releasePlace('latest', known)],
    ['nothing known', () => releasePlace('v1.33.5+k3s1', undefined)],
    [
      'an address without a version',
      () => releasePlace('v1.33.5+k3s1', { ...known, url: 'https://h/latest/a.raw' }),
    ],
    ['a web page', () => parseRelease('<!DOCTYPE html><p>Log in</p>', 'https://h/release.json')],
    ['not JSON', () => parseRelease('{', 'https://h/release.json')],
    ['another JSON', () => parseRelease('[]', 'https://h/release.json')],
    [
      'a newer format',
      change((value) => {
        value.schemaVersion = 2;
      }),
    ],
    [
      'no images',
      change((value) => {
        value.images = [];
      }),
    ],
    ['a path for a file', image({ file: '../../etc/passwd' })],
    ['a hidden file', image({ file: '.part' })],
    ['several problems', image({ sha256: 'abc', rootHash: 7, size: -1 })],
    ['an endless image', image({ size: 1e15 })],
    ['another architecture', () => imageFor(parseRelease(text, 'r'), 'arm64', 'https://h/release.json')],
  ];
  expectGolden(
    cases.map(([name, work]) => `${name}: ${said(work)}\n`).join(''),
    'test/node/golden/release-refusals.txt',
  );
});
