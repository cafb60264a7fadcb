import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findChecksum, parseChecksums } from '../../src/sources/checksums.ts';
import { sha256 } from './server.ts';

const a = sha256('a');
const b = sha256('b');
const at = 'https://example.org/SHA256SUMS';

describe('a list of sums is read', () => {
  test.each([
    ['as sha256sum writes it', `${a}  file\n${b}  other\n`],
    ['in binary mode', `${a} *file\n${b} *other\n`],
    ['in BSD style', `SHA256 (file) = ${a}\nSHA256 (other) = ${b}\n`],
    ['as openssl dgst writes it', `SHA2-256(file)= ${a}\n`],
    ['with digests of other kinds beside it', `MD5 (file) = d41d8cd98f00b204\nSHA256 (file) = ${a}\n`],
    ['with ./ before names', `${a}  ./file\n`],
    ['with folders before names', `${a}  dist/build/file\n`],
    ['with Windows line ends and upper case', `${a.toUpperCase()}  file\r\n`],
    ['with a comment and empty lines', `# sums\n\n${a}  file\n\n`],
    ['with a byte order mark', `\uFEFF${a}  file\n`],
    ['with one space', `${a} file\n`],
    ['with a tab', `${a}\tfile\n`],
    ['as one bare digest', `${a}\n`],
    ['with the same line twice', `${a}  file\n${a}  file\n`],
  ])('%s', (_, text) => {
    expect(findChecksum(text, 'file', at)).toBe(a);
  });

  test('as k3s publishes it', () => {
    const text = `${a}  k3s-airgap-images-amd64.tar.zst\n${b}  k3s\n`;
    expect(findChecksum(text, 'k3s', at)).toBe(b);
  });

  test('as k0s publishes it', () => {
    const text = `${a} *k0s-v1.36.3+k0s.0-amd64\n${b} *k0s-v1.36.3+k0s.0-arm64\n`;
    expect(findChecksum(text, 'k0s-v1.36.3+k0s.0-arm64', at)).toBe(b);
  });

  test('with escaped names', () => {
    expect(parseChecksums(`\\${a}  with\\nbreak\\\\\n`, at)).toEqual([{ name: 'with\nbreak\\', sha256: a }]);
  });

  test('for any names and digests', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9._+-]{1,40}$/);
    const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
    fc.assert(
      fc.property(
        fc.dictionary(name, digest, { minKeys: 1 }),
        fc.constantFrom('  ', ' *'),
        (sums, between) => {
          const text = Object.entries(sums)
            .map(([each, sum]) => `${sum}${between}${each}\n`)
            .join('');
          for (const [each, sum] of Object.entries(sums)) expect(findChecksum(text, each, at)).toBe(sum);
        },
      ),
    );
  });
});

describe('a list of sums is refused', () => {
  test.each([
    ['that lacks the name', `${a}  other\n`, 'file is not listed', 'other'],
    ['that is empty', '', 'file is not listed', 'empty'],
    ['that has a short digest', `${a.slice(1)}  file\n`, 'line 1', 'DIGEST  NAME'],
    ['whose second line is broken', `${a}  file\nwhat\n`, 'line 2', 'SHA-256'],
    ['that is an HTML page', '<!DOCTYPE html>\n', 'line 1', 'HTML page'],
    ['that contradicts itself', `${a}  file\n${b}  file\n`, '2 different digests', 'contradicts'],
  ])('%s', (_, text, message, hint) => {
    expect(() => findChecksum(text, 'file', at)).toThrowError(
      expect.objectContaining({
        code: 'verification',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      }),
    );
  });
});
