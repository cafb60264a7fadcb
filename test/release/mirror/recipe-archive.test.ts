import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RecipeFile } from '../../../src/release/mirror/recipe.ts';
import { writeRecipeArchive } from '../../../src/release/mirror/recipe-archive.ts';
import { sha256 } from '../../../src/support/files.ts';
import { errorOf } from '../../sources/context.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-recipe-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { signal } = new AbortController();
const file = (path: string, text: string, executable = false): RecipeFile => ({
  path,
  from: { text },
  sha256: sha256(text),
  size: Buffer.byteLength(text),
  executable,
});
const LONG = `${'folder-of-a-provider/'.repeat(7)}${'n'.repeat(90)}`;

describe("a recipe's archive", () => {
  test('is laid out by tar(1) with the modes of programs, paths of up to 255 bytes too', async () => {
    const local = join(folder, 'provider');
    writeFileSync(local, '#!/bin/sh\n');
    const files = [
      file('sextant.yaml', 'name: small\n'),
      { ...file('bin/provider', '#!/bin/sh\n', true), from: local },
      file(LONG, 'deep'),
    ];
    const made = await writeRecipeArchive(files, join(folder, 'a.tar.gz'), signal);
    const bytes = readFileSync(made.path);
    expect([made.sha256, made.size]).toEqual([sha256(bytes), bytes.length]);
    expect(made.tarSha256).toBe(sha256(gunzipSync(bytes)));
    execFileSync('tar', ['-C', folder, '-xzf', made.path, '--no-same-owner']);
    expect(readFileSync(join(folder, 'recipe/sextant.yaml'), 'utf8')).toBe('name: small\n');
    expect(readFileSync(join(folder, 'recipe', LONG), 'utf8')).toBe('deep');
    expect(statSync(join(folder, 'recipe/bin/provider')).mode & 0o777).toBe(0o755);
    const again = await writeRecipeArchive([...files].reverse(), join(folder, 'b.tar.gz'), signal);
    expect(again.sha256).toBe(made.sha256);
  });

  test.each(['../outside', 'a/../b', '/etc/passwd', 'a b', 'n'.repeat(101), `${'n'.repeat(160)}/a`])(
    'has no file %s',
    async (path) => {
      const work = writeRecipeArchive([file(path, 'x')], join(folder, 'a.tar.gz'), signal);
      expect(await errorOf(work)).toMatchObject({ code: 'input', hint: expect.stringContaining('name') });
    },
  );
});
