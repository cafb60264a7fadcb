import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openExtImage, type ReadAt } from '../../../src/node/observe/ext-image.ts';
import { osImage } from './images.ts';

const reader =
  (image: Uint8Array): ReadAt =>
  (offset, length) =>
    image.subarray(offset, offset + length);
const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

describe.each(['ext2', 'ext4'] as const)('an image that mke2fs made as %s', (type) => {
  const image = openExtImage(reader(osImage(type)));

  test('has the UUID that it was given', () => {
    expect(image?.uuid).toBe('11111111-2222-4333-8444-555555555555');
  });

  test('holds its files', () => {
    expect(text(image?.readFile('/etc/kairos-release'))).toContain('KAIROS_RELEASE="v4.1.0"\n');
    expect(text(image?.readFile('/usr/lib/os-release'))).toContain('ID=debian\n');
  });

  test.each(['/etc', '/etc/os-release', '/etc/missing', '/missing/kairos-release', '/etc/kairos-release/x'])(
    'has no regular file %s',
    (path) => {
      expect(image?.readFile(path)).toBeUndefined();
    },
  );

  test('whatever bytes are wrong, reading ends, without an error', () => {
    const whole = osImage(type);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 40 }),
        fc.nat(whole.length),
        (changes, length) => {
          const damaged = Buffer.from(whole);
          for (const [at, value] of changes) damaged[at] = value;
          const opened = openExtImage(reader(damaged.subarray(0, length)));
          const found = opened?.readFile('/etc/kairos-release');
          expect(found === undefined || found.length <= 64 * 1024).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('what is no such file system is not opened', () => {
  expect(openExtImage(reader(new Uint8Array(4096)))).toBeUndefined();
  expect(openExtImage(reader(new Uint8Array(10)))).toBeUndefined();
  expect(openExtImage(() => undefined)).toBeUndefined();
});
