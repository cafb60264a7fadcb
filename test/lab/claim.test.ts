import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claim } from '../../src/lab/claim.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-claim-'));
  file = join(folder, 'new', 'one');
});
afterEach(() => rm(folder, { recursive: true }));

test('of many at once one gets it, the others are told who has it; afterwards it is free', async () => {
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => claim(file, 'it is taken')));
  const got = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(got).toHaveLength(1);
  for (const one of tries) {
    if (one.status !== 'rejected') continue;
    expect(one.reason).toMatchObject({ code: 'usage', message: `it is taken (process ${process.pid})` });
  }
  await got[0]?.();
  expect(await readdir(join(folder, 'new'))).toEqual([]);
  await (await claim(file, 'it is taken'))();
});

test('what a dead process left is taken over', async () => {
  await (await claim(file, ''))();
  await writeFile(file, `${spawnSync('true').pid}\n`);
  await expect(claim(file, 'it is taken')).resolves.toBeTypeOf('function');
});
