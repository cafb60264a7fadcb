import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withinTime } from '../../src/lab/within-time.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
let others: NodeJS.UnhandledRejectionListener[];

beforeEach(() => {
  unhandled.length = 0;
  others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
});
afterEach(() => {
  process.removeAllListeners('unhandledRejection');
  for (const one of others) process.on('unhandledRejection', one);
});

const late = () => new Error('too late');
const failing = async (milliseconds: number): Promise<string> => {
  await sleep(milliseconds);
  throw new Error('the guest has ended');
};

test('work that ends in time is what it is', async () => {
  const signal = new AbortController().signal;
  expect(await withinTime(Promise.resolve('done'), { seconds: 5, signal, late })).toBe('done');
  await expect(withinTime(failing(1), { seconds: 5, signal, late })).rejects.toThrow('the guest has ended');
});

test('work that takes too long, or that nobody waits for any more, may fail later without ending the program', async () => {
  const abort = new AbortController();
  await expect(withinTime(failing(60), { seconds: 0.02, signal: abort.signal, late })).rejects.toThrow(
    'too late',
  );
  const waiting = withinTime(failing(60), { seconds: 5, signal: abort.signal, late });
  abort.abort(new Error('interrupted'));
  await expect(waiting).rejects.toThrow('interrupted');
  // Asked after the interrupt, as when a journal is to be kept: the guest is on its way out.
  await expect(withinTime(failing(20), { seconds: 5, signal: abort.signal, late })).rejects.toThrow(
    'interrupted',
  );
  await sleep(120);
  expect(unhandled).toEqual([]);
});
