import { mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { writeImage } from '../../src/image/index.ts';
import { fileDigest } from '../../src/support/files.ts';
import { silent } from '../../src/support/progress.ts';
import { toolsRoot } from '../tools-root.ts';
import { erofsTool } from './erofs/tools.ts';

// Machines with other numbers of processors: other workers of mkfs.erofs, other threads that hash.

const processors = vi.hoisted(() => ({ count: 1 }));
vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  availableParallelism: () => processors.count,
}));

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(toolsRoot, 'mnt', 'processors-'));
  mkdirSync(join(work, 'tree/usr/bin'), { recursive: true });
  // Two and a half of the segments of 16 MiB that mkfs.erofs gives its workers.
  const program = Buffer.alloc(40 * 1024 * 1024);
  readSync(openSync(process.execPath, 'r'), program, 0, program.length, 0);
  writeFileSync(join(work, 'tree/usr/bin/program'), program);
  for (const name of ['a', 'b', 'c'])
    writeFileSync(join(work, 'tree/usr/bin', name), program.subarray(0, 99_999));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

test.each(['lz4hc', 'none'] as const)(
  'an image (%s) is the same on machines of 1, 2, 5 and 64 processors',
  async (compression) => {
    const digests: string[] = [];
    for (const count of [1, 2, 5, 64]) {
      processors.count = count;
      const { path } = await writeImage({
        tree: join(work, 'tree'),
        output: join(work, 'image.raw'),
        extensionName: 'small',
        architecture: 'amd64',
        compression,
        clusterSize: 65536,
        seed: 'processors',
        timestamp: 315532800,
        mkfs: erofsTool('mkfs.erofs'),
        context: { cache: work, progress: silent, signal: new AbortController().signal },
      });
      digests.push((await fileDigest(path)).sha256);
    }
    expect(new Set(digests).size, digests.join(' ')).toBe(1);
  },
);
