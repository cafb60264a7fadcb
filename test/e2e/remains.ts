import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

/** Waits until no process and no mount has to do with the folder any more: the kernel ends a killed sandbox in its own time. */
export async function expectNoProcesses(folder: string): Promise<void> {
  await expect.poll(() => processesOf(folder), { timeout: 10_000 }).toEqual([]);
}

/** Command lines of the processes that know the folder, by an argument, their environment, their place or a mount. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const texts = await Promise.all([
      ...['cmdline', 'environ', 'mountinfo'].map((name) =>
        readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => ''),
      ),
      readlink(`/proc/${pid}/cwd`).catch(() => ''),
    ]);
    if (texts.some((text) => text.includes(folder))) found.push(`${pid} ${texts[0]?.replaceAll('\0', ' ')}`);
  }
  return found;
}

/** Paths below a cache that only a running program may have there: unfinished folders, claimed downloads, its own mark. */
export async function unfinishedIn(cache: string): Promise<string[]> {
  const names = async (folder: string) =>
    (await readdir(join(cache, folder)).catch(() => [])).map((name) => `${folder}/${name}`);
  return [
    ...(await names('built')).filter((name) => name.endsWith('.tmp')),
    // KEY and KEY.etag are for the next run to go on with, KEY.PLACE.PID.RANDOM is being written.
    ...(await names('partial')).filter((name) => name.split('.').length > 2),
    ...(await names('work')),
    ...(await names('running')),
  ];
}
