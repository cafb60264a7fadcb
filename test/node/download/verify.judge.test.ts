import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageParts } from '../../../src/node/download/image.ts';
import { verifyImage } from '../../../src/node/download/verify.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { silent } from '../../../src/support/progress.ts';
import { dataBlocks, seal } from '../../image/fixture.ts';
import { inToolsRoot, toolsRoot } from '../../tools-root.ts';
import { nodeHost } from '../host/node-host.ts';

// The real losetup and veritysetup, as a node has them; needs root and loop devices.
let work: string;
let host: Host;
let rootHash: string;
const inside = (path: string) => path.replace(toolsRoot, '');

beforeAll(async () => {
  mkdirSync(join(toolsRoot, 'tmp'), { recursive: true });
  work = mkdtempSync(join(toolsRoot, 'tmp', 'sextant-verify-'));
  const base = nodeHost();
  host = {
    ...base,
    run: ([path, ...args], options) => {
      const tool = path.slice(path.lastIndexOf('/') + 1);
      const [program, all] = inToolsRoot(`/usr/sbin/${tool}`, args.map(inside));
      return base.run([program, ...all], options);
    },
  };
  const context = { cache: work, progress: silent, signal: new AbortController().signal };
  rootHash = (await seal(join(work, 'image.raw'), dataBlocks(40), context)).rootHash;
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

test('every block of an image is held to its root hash through a loop device', () => {
  verifyImage(host, join(work, 'image.raw'), rootHash, false);
});

test('one flipped bit in the data or the tree is found', () => {
  const whole = readFileSync(join(work, 'image.raw'));
  const { root, verity } = imageParts(host, join(work, 'image.raw'));
  for (const at of [root.offset, root.offset + root.size - 1, verity.offset + 4096 + 7]) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(work, 'flipped.raw'), bytes);
    expect(() => verifyImage(host, join(work, 'flipped.raw'), rootHash, false), `byte ${at}`).toThrow(
      'its data is not what its root hash says',
    );
  }
});

test('no loop device is left behind', () => {
  const { stdout } = host.run(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE']);
  expect(stdout).not.toContain(inside(work));
});
