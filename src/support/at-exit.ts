import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const waiting = new Set<() => void>();

/**
 * Has `work` done when the process ends before it is taken back by the function returned: a second Ctrl-C, or an error elsewhere, ends the
 * process in the middle of things. The last registered goes first; nothing in it may wait.
 */
export function atExit(work: () => void): () => void {
  if (waiting.size === 0) process.once('exit', workOff);
  waiting.add(work);
  return () => {
    waiting.delete(work);
    if (waiting.size === 0) process.off('exit', workOff);
  };
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
  return atExit(() => {
    makeWritable(path);
    rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
}

function makeWritable(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return;
  if ((found.mode & 0o700) !== 0o700) chmodSync(path, 0o700);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(join(path, entry.name));
  }
}
