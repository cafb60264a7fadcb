import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileModule, nodeProgram } from '../../src/release/node-program/index.ts';
import { ARCHITECTURE_NAMES, ARCHITECTURES, type Architecture } from '../../src/support/architecture.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { readElf } from '../../src/tree/elf.ts';
import { compilingContext, otherMachine, thisMachine } from '../node/compiled.ts';

const scratch = mkdtempSync(join(tmpdir(), 'sextant-program-'));
const programs = new Map<Architecture, string>();
const notices = new Map<Architecture, string>();

beforeAll(async () => {
  for (const architecture of ARCHITECTURES) {
    const { file, licenses } = await nodeProgram(compilingContext(), thisMachine, architecture);
    programs.set(architecture, file);
    notices.set(architecture, licenses);
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const program = (architecture: Architecture) => programs.get(architecture) ?? '';
const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Runs a program with user mode emulation where this machine cannot. */
function run(architecture: Architecture, args: readonly string[]): string {
  const own = architecture === thisMachine;
  const emulator = `${ARCHITECTURE_NAMES[architecture].qemu}-static`;
  const path = program(architecture);
  return execFileSync(own ? path : emulator, own ? [...args] : [path, ...args], { encoding: 'utf8' });
}

describe.for(ARCHITECTURES)('sextant-node for %s', (architecture) => {
  test('is a static program of that architecture, stripped, under 3 MB', async () => {
    const bytes = readFileSync(program(architecture));
    const elf = await readElf(
      async (offset, length) => bytes.subarray(offset, offset + length),
      bytes.length,
    );
    expect(elf).toMatchObject({ machine: ARCHITECTURE_NAMES[architecture].elfMachine, needed: [] });
    expect(elf.interpreter).toBeUndefined();
    expect(bytes.length).toBeLessThan(3_000_000);
    expect(statSync(program(architecture)).mode & 0o777).toBe(0o755);
  });

  test('holds no path of the machine that compiled it, and no date', () => {
    const text = readFileSync(program(architecture), 'latin1');
    for (const place of [cacheFolder(), process.cwd(), tmpdir(), '/work/', 'clang version']) {
      expect(text.includes(place), place).toBe(false);
    }
    expect(text).not.toMatch(/\b20\d\d-\d\d-\d\d \d\d:/);
  });

  test('comes with the notices of what is linked into it', () => {
    const text = readFileSync(notices.get(architecture) ?? '', 'utf8');
    expect(text).toContain('Copyright (c) 2017-2021 Fabrice Bellard');
    expect(text).toMatch(/Rich Felker/);
    expect(text.match(/Permission is hereby granted, free of charge/g)?.length).toBeGreaterThanOrEqual(2);
  });

  test('runs, and says its version and the digest of its sources', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const said = run(architecture, ['--version']);
    expect(said).toMatch(
      new RegExp(`^sextant-node ${version.replaceAll('.', '\\.')} \\(sources [0-9a-f]{64}\\)\n$`),
    );
    expect(run(architecture, ['--help'])).toBe(readFileSync('test/node/golden/help.txt.golden', 'utf8'));
  });
});

test('compiled again, elsewhere, by a machine with other settings, the program is the same', async () => {
  // The fetched bytes are shared, what is made of them is made anew in another folder.
  const cache = join(scratch, 'another cache');
  execFileSync('mkdir', ['-p', cache]);
  symlinkSync(join(cacheFolder(), 'blobs'), join(cache, 'blobs'));
  const { env } = process;
  const before = process.umask(0o077);
  process.env = {
    ...env,
    CPATH: '/nonexistent',
    LANG: 'de_DE.UTF-8',
    SOURCE_DATE_EPOCH: '1',
    TZ: 'Asia/Tokyo',
  };
  try {
    for (const architecture of ARCHITECTURES) {
      const { file } = await nodeProgram(compilingContext(cache), thisMachine, architecture);
      expect(file.startsWith(cache)).toBe(true);
      expect(digest(file)).toBe(digest(program(architecture)));
    }
  } finally {
    process.env = env;
    process.umask(before);
  }
});

test('a second build compiles nothing', async () => {
  const before = statSync(program(otherMachine)).ino;
  const { file } = await nodeProgram(compilingContext(), thisMachine, otherMachine);
  expect(file).toBe(program(otherMachine));
  expect(statSync(file).ino).toBe(before);
});

test('other sources are another program, and wrong ones an error that says where', async () => {
  const module = (text: string) => ({ name: 'x.js', text });
  const compile = (text: string) => compileModule(compilingContext(), thisMachine, thisMachine, module(text));
  const two = await Promise.all(
    ['one', 'two'].map((word) => compile(`import { write } from 'sextant:native'; write(1, '${word}');`)),
  );
  expect(two.map((path) => execFileSync(path, { encoding: 'utf8' }))).toEqual(['one', 'two']);
  await expect(compile('let a = ;')).rejects.toMatchObject({
    code: 'tool',
    details: expect.stringContaining('x.js:1'),
  });
});

test('a mistake that nothing catches ends with 1 and a stack trace', async () => {
  const text = 'function deep() { null.x; }\ndeep();';
  const path = await compileModule(compilingContext(), thisMachine, thisMachine, { name: 'main.js', text });
  expect(() => execFileSync(path, { encoding: 'utf8', stdio: 'pipe' })).toThrow(
    expect.objectContaining({
      status: 1,
      stderr: expect.stringMatching(/^error: TypeError.*\n\s+at deep \(main\.js:1/),
    }),
  );
});

test('closed standard streams are not taken by the first file that is opened', async () => {
  const text = `import { encode, facts, write, writeNew } from 'sextant:native';
    writeNew('${scratch}/file', new Uint8Array(encode('kept')), 0o644); write(1, 'lost'); write(2, 'lost'); facts('/', true);`;
  const path = await compileModule(compilingContext(), thisMachine, thisMachine, { name: 'main.js', text });
  execFileSync('sh', ['-c', '"$0" <&- >&- 2>&-', path]);
  expect(readFileSync(join(scratch, 'file'), 'utf8')).toBe('kept');
});

test('3 MB of memory are enough for it, all that it maps counted', () => {
  const limited = (kib: number) => () =>
    execFileSync('sh', ['-c', `ulimit -v ${kib} && exec "$0" --help`, program(thisMachine)], {
      stdio: 'pipe',
    });
  expect(limited(2900)().length).toBeGreaterThan(0);
  expect(limited(500)).toThrow(); // The limit is in force.
});
