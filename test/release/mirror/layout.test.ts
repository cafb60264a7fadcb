import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, commonFolder, mirrorPath, mirrorRules } from '../../../src/release/mirror/layout.ts';
import { mirrored } from '../../../src/sources/mirrors.ts';

const BASE = 'https://mirror.example.org/sextant';

describe('where a locked address is in a mirror', () => {
  test.each([
    [
      'https://github.com/k3s-io/k3s/releases/download/v1.36.3%2Bk3s1/k3s',
      'https/github.com/k3s-io/k3s/releases/download/v1.36.3+k3s1/k3s',
    ],
    ['https://get.k3s.io/', 'https/get.k3s.io/_root'],
    ['http://127.0.0.1:8080/a', 'http/127.0.0.1_8080/a'],
    ['https://x.org/a?token=1', 'https/x.org/a'],
    ['https://x.org/a/%2e%2e/%2e%2e/%2e%2e/etc/passwd', 'https/x.org/etc/passwd'],
    ['go:github.com/BurntSushi/toml@v1.0.0.zip', 'go/github.com/!burnt!sushi/toml/@v/v1.0.0.zip'],
  ])('%s', (url, path) => {
    expect(mirrorPath(url)).toBe(path);
  });

  test.each([
    'https://x.org/a%2F..%2F..%2Fb',
    'https://x.org/a%00b',
    'https://x.org/%zz',
    'https://x.org//a',
    'file:///etc/passwd',
    'nothing',
  ])('%s is refused', (url) => {
    expect(() => mirrorPath(url)).toThrow(/cannot be mirrored/);
  });

  test('never leads out of the folder', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), fc.string(), (url, more) => {
        let path: string;
        try {
          path = mirrorPath(`${url}/${more}`);
        } catch {
          return;
        }
        expect(path.split('/')).not.toContain('..');
        expect(path).toMatch(/^(http|https|go)\//);
      }),
    );
  });
});

describe('the rewrites', () => {
  const at = (urls: readonly string[], url: string) => mirrored(url, mirrorRules(urls, BASE));

  test('send each address to its file, one rule for a host', () => {
    const urls = [
      'https://github.com/a/v1%2Bk3s1/x',
      'https://github.com/b',
      'http://deb.debian.org/debian/pool/a.deb',
    ];
    expect(mirrorRules(urls, `${BASE}/`)).toEqual([
      { from: 'http://deb.debian.org/', to: `${BASE}/http/deb.debian.org/` },
      { from: 'https://github.com/', to: `${BASE}/https/github.com/` },
    ]);
    for (const url of urls) expect(decodeURIComponent(at(urls, url))).toBe(`${BASE}/${mirrorPath(url)}`);
  });

  test('an address that ends in a slash has a file of its own, and those below it keep theirs', () => {
    const urls = [
      'https://get.k3s.io/',
      'https://get.k3s.io/channels',
      'https://x.org/a/',
      'https://x.org/b',
    ];
    for (const url of urls) expect(decodeURIComponent(at(urls, url))).toBe(`${BASE}/${mirrorPath(url)}`);
  });

  test("Go's proxy is sent to the modules' folder", () => {
    expect(at(['go:example.org/a@v1.0.0.zip'], 'https://proxy.golang.org/example.org/a/@v/v1.0.0.zip')).toBe(
      `${BASE}/go/example.org/a/@v/v1.0.0.zip`,
    );
  });

  test('hold for any set of addresses', () => {
    const segment = fc.stringMatching(/^[a-z0-9+~]{1,6}$/);
    const url = fc
      .tuple(fc.constantFrom('a.org', 'b.org:8080'), fc.array(segment, { maxLength: 3 }), fc.boolean())
      .map(
        ([host, parts, slash]) =>
          new URL(`https://${host}/${parts.join('/')}${slash && parts.length > 0 ? '/' : ''}`).href,
      );
    fc.assert(
      fc.property(fc.uniqueArray(url, { minLength: 1, maxLength: 8 }), (urls) => {
        for (const each of urls)
          expect(decodeURIComponent(at(urls, each))).toBe(`${BASE}/${mirrorPath(each)}`);
      }),
    );
  });
});

test('a path is an address with its odd characters escaped', () => {
  expect(addressOf(`${BASE}/`, 'releases/k3s-v1.36.3+k3s1')).toBe(`${BASE}/releases/k3s-v1.36.3%2Bk3s1`);
});

test('the folder that holds all of some paths', () => {
  expect(commonFolder(['/a/b/c', '/a/b/d', '/a/bc'])).toBe('/a');
  expect(commonFolder(['/a/b', '/a/b'])).toBe('/a/b');
  expect(commonFolder(['/a', '/b'])).toBe('/');
});
