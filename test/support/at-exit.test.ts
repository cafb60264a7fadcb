import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atExit, removedAtExit, settled } from '../../src/support/at-exit.ts';
import { withTemporaryFolder } from '../../src/support/files.ts';

test('what is removed at exit is waited for, in the middle of its making too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-at-exit-'));
  let temporary = '';
  const work = withTemporaryFolder(join(folder, 'result'), async (made) => {
    temporary = made;
    await sleep(50);
    await mkdir(join(made, 'late'));
    throw new Error('interrupted');
  }).catch(() => undefined);
  await settled(60_000);
  expect(temporary).not.toBe('');
  expect(existsSync(temporary)).toBe(false);
  await work;
  await rm(folder, { recursive: true });
});

test('what nothing is going to take back is not waited for longer than the limit, other work not at all', async () => {
  const done = [removedAtExit('/nonexistent/sextant'), atExit(() => {})];
  await settled(20);
  done[0]?.();
  await settled(Number.POSITIVE_INFINITY);
  done[1]?.();
});
