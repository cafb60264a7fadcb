import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MalformedBuildInfo, readGoBuildInfo } from '../../../src/release/sbom/go-build-info.ts';
import { elf } from '../../tree/elf-builder.ts';
import { goElf, INFO_AT } from './go-elf.ts';

const read = (bytes: Buffer) =>
  readGoBuildInfo((offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)));
const LINES = [
  'path\ta.b/c/cmd/c',
  'mod\ta.b/c\tv1.2.3\th1:main=',
  'dep\tgithub.com/Masterminds/semver/v3\tv3.4.0\th1:one=',
  'dep\tk8s.io/api\tv0.0.0',
  '=>\tk8s.io/api\tv0.36.3\th1:two=',
  'dep\tx.y/local\tv0.0.0-1',
  '=>\t./staging/local\t(devel)',
  'build\t-trimpath=true',
];

test.each([
  ['with sections', false],
  ['stripped of its sections', true],
])('a program %s tells its Go version, its module and every module in it', async (_, stripped) => {
  expect(await read(goElf({ lines: LINES, stripped }))).toEqual({
    goVersion: 'go1.26.8',
    path: 'a.b/c/cmd/c',
    main: { path: 'a.b/c', version: 'v1.2.3', sum: 'h1:main=' },
    modules: [
      { path: 'github.com/Masterminds/semver/v3', version: 'v3.4.0', sum: 'h1:one=' },
      { path: 'k8s.io/api', version: 'v0.36.3', sum: 'h1:two=' },
      { path: 'x.y/local', version: '(devel)' },
    ],
  });
});

test('a program built without modules tells its Go version', async () => {
  expect(await read(goElf())).toEqual({ goVersion: 'go1.26.8', path: '', modules: [] });
});

test('what Go did not link has none', async () => {
  expect(await read(elf({ needed: ['libc.so.6'] }))).toBeUndefined();
  expect(await read(Buffer.from('#!/bin/sh\n'))).toBeUndefined();
  expect(await read(Buffer.alloc(0))).toBeUndefined();
});

test.each([
  ['of a Go older than 1.18', goElf({ lines: LINES, flags: 0 }), 'older than 1.18'],
  ['whose list ends early', goElf({ lines: LINES, stripped: true }).subarray(0, -60), 'end'],
  ['cut off in its header', goElf({ stripped: true }).subarray(0, INFO_AT + 20), 'end'],
  ['with a module without a name', goElf({ lines: ['dep\t\tv1.0.0'] }), 'names no module'],
  ['with a name that steers a terminal', goElf({ lines: ['dep\ta\u001b[2Jb\tv1.0.0'] }), 'names no module'],
  ['with a replacement of nothing', goElf({ lines: ['=>\ta.b/c\tv1.0.0'] }), 'replacement of nothing'],
])('build information %s is told as such', async (_, bytes, why) => {
  const error = await read(bytes).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MalformedBuildInfo);
  expect((error as Error).message).toContain(why);
});

test('a length that no file has is refused before memory is asked for', async () => {
  const bytes = goElf({ lines: LINES });
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).copy(bytes, INFO_AT + 32);
  const error = await read(bytes).catch((thrown: unknown) => thrown);
  expect((error as Error).message).toMatch(/a text of \d+ bytes/);
});

test('whatever a file holds, reading ends with a result or as malformed', async () => {
  const good = goElf({ lines: LINES });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
      fc.nat(good.length),
      async (changes, cut) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        for (const variant of [bytes, bytes.subarray(0, cut)]) {
          const asked: number[] = [];
          const result = readGoBuildInfo((offset, length) => {
            asked.push(length);
            return Promise.resolve(variant.subarray(offset, offset + length));
          });
          await result.catch((error: unknown) => {
            if (!(error instanceof MalformedBuildInfo)) throw error;
          });
          expect(asked.every((length) => length <= 64 * 1024 * 1024)).toBe(true);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
