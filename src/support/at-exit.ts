import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const waiting = new Set<() => void>();
/** Those that something under way is going to take back. */
const passing = new Set<() => void>();
const POLL_MS = 5;

/**
 * Has `work` done when the process ends before it is taken back by the function returned: a second Ctrl-C, or an error elsewhere, ends the
 * process in the middle of things. The last registered goes first; nothing in it may wait.
 */
export function atExit(work: () => void): () => void {
  if (waiting.size === 0) process.once('exit', workOff);
  waiting.add(work);
  return () => {
    waiting.delete(work);
    passing.delete(work);
    if (waiting.size === 0) process.off('exit', workOff);
  };
}

/**
 * Waits until all that is removed at exit has been removed by its owners, at most `limitMs`: after an error one branch of the work
 * may still be in the middle of a system call that would bring back what an exit removes.
 */
export async function settled(limitMs: number): Promise<void> {
  for (let waited = 0; passing.size > 0 && waited < limitMs; waited += POLL_MS) await sleep(POLL_MS);
}

function workOff(): void {
  for (const work of [...waiting].reverse()) {
    try {
      work();
    } catch {
      // The rest is to be done all the same.
    }
  }
}

/** Removes a file or folder, whatever modes it has inside, when the process ends before the function returned is called. */
export function removedAtExit(path: string): () => void {
  const remove = () => {
    makeWritable(path);
    rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  };
  passing.add(remove);
  return atExit(remove);
}

function makeWritable(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return;
  if ((found.mode & 0o700) !== 0o700) chmodSync(path, 0o700);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(join(path, entry.name));
  }
}
