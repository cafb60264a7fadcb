import { readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SextantError, toSextantError } from '../../src/support/errors.ts';
import { canonicalJson, withTemporaryFolder, writeFileAtomically } from '../../src/support/files.ts';
import { fill } from '../../src/support/fill.ts';
import { bytesText } from '../../src/support/progress.ts';
import { run, shellText } from '../../src/support/subprocess.ts';
import { temporaryFolder } from '../temporary-folder.ts';

test('a program gets a fixed environment, not the caller’s', async () => {
  process.env.SEXTANT_TEST_LEAK = 'yes';
  const { stdout } = await run('sh', ['-c', 'echo "$LC_ALL $TZ ${SEXTANT_TEST_LEAK-unset}"']);
  expect(stdout.toString()).toBe('C.UTF-8 UTC unset\n');
});

test('a failed program is an error with its exit code, its command to paste and its last words', async () => {
  await expect(run('sh', ['-c', 'echo it broke >&2; exit 3'])).rejects.toMatchObject({
    code: 'tool',
    message: 'sh failed with exit code 3',
    details: "command: sh -c 'echo it broke >&2; exit 3'\nit broke",
  });
});

test('a missing program, a signal and a time-out are told apart', async () => {
  await expect(run('no-such-program-here', [])).rejects.toMatchObject({
    message: 'no-such-program-here: program not found',
  });
  await expect(run('sh', ['-c', 'kill -TERM $$'])).rejects.toMatchObject({
    message: 'sh was ended by SIGTERM',
  });
  await expect(run('sleep', ['30'], { timeoutSeconds: 0.05 })).rejects.toMatchObject({
    message: expect.stringContaining('took longer than 0.05 s'),
  });
});

test('an abort ends the program and everything it started', async () => {
  const abort = new AbortController();
  let grandchild = 0;
  const running = run('sh', ['-c', 'sleep 30 & echo $!; wait'], {
    signal: abort.signal,
    onOutput: (piece) => {
      grandchild = Number(piece.toString());
      abort.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: 'interrupted' });
  await expect.poll(() => isRunning(grandchild)).toBe(false);
});

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('a command reads back through a shell as its own words', async () => {
  const word = fc.string({ unit: fc.constantFrom('a', ' ', "'", '"', '$', '\\', '\n', '*', ';') });
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 3 }), async (words) => {
      const { stdout } = await run('sh', ['-c', shellText('printf', ['%s\\0', ...words])]);
      expect(stdout.toString().split('\0').slice(0, -1)).toEqual(words);
    }),
    { numRuns: 30 },
  );
});

test('an atomic write leaves the whole file with its mode whatever the umask, and nothing else', async () => {
  const there = await temporaryFolder();
  const before = process.umask(0o077);
  await writeFileAtomically(join(there, 'sub/file'), 'text', 0o644).finally(() => process.umask(before));
  expect(await readFile(join(there, 'sub/file'), 'utf8')).toBe('text');
  expect((await stat(join(there, 'sub/file'))).mode & 0o777).toBe(0o644);
  expect(await readdir(join(there, 'sub'))).toEqual(['file']);
});

test('a temporary folder is gone afterwards, also after an error', async () => {
  const there = await temporaryFolder();
  await expect(
    withTemporaryFolder(join(there, 'dist'), async () => {
      expect(await readdir(there)).toHaveLength(1);
      throw new Error('stop');
    }),
  ).rejects.toThrow('stop');
  expect(await readdir(there)).toEqual([]);
});

test('canonical JSON does not depend on the order in which keys were set', () => {
  expect(canonicalJson({ b: 1, a: { d: [2, { z: 0, y: 1 }], c: null } })).toBe(
    canonicalJson({ a: { c: null, d: [2, { y: 1, z: 0 }] }, b: 1 }),
  );
});

test('placeholders are filled and everything else is left alone', () => {
  expect(fill('a-{version}-{arch}-{other} {}', { version: '1', arch: 'amd64' })).toBe('a-1-amd64-{other} {}');
});

test('system errors become one line with what to do', () => {
  const full = Object.assign(new Error('x'), { code: 'ENOSPC', path: '/dist/a.raw' });
  expect(toSextantError(full)).toMatchObject({
    code: 'filesystem',
    message: '/dist/a.raw: no space left on the disk',
  });
  const own = new SextantError('input', 'mine');
  expect(toSextantError(own)).toBe(own);
  expect(toSextantError(Object.assign(new Error(), { name: 'AbortError' })).code).toBe('interrupted');
  expect(toSextantError('thrown text')).toMatchObject({ code: 'internal', message: 'thrown text' });
});

test('sizes read as people say them', () => {
  expect([bytesText(12), bytesText(1536), bytesText(300 * 1024 ** 2)]).toEqual([
    '12 B',
    '1.5 KiB',
    '300.0 MiB',
  ]);
});
