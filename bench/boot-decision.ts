// What the decision before the merge adds to a boot: the compiled program in a node's folder as its root, beside a program that does nothing
// there; and what a boot writes to the disk, on a real ext4 whose every write is noted. Needs root, busybox-static, loop devices and FUSE.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChrooted, withPrograms } from '../test/node/chrooted.ts';
import {
  forgetGoodNode,
  goodNode,
  type PlayedNode,
  powerOn,
  turnedOff,
  upgraded,
} from '../test/node/life/played-node.ts';
import { diskOf, onLoggedDisk } from '../test/node/logged-node.ts';
import { median } from './median.ts';

const PAIRS = 30;

function milliseconds(work: () => { status: number | null; stderr: string | Buffer }): number {
  const began = process.hrtime.bigint();
  const { status, stderr } = work();
  const took = Number(process.hrtime.bigint() - began) / 1e6;
  if (status !== 0) throw new Error(String(stderr));
  return took;
}

/** Power-on with the compiled program; milliseconds that it took. */
function decided(node: PlayedNode): number {
  let took = 0;
  powerOn(node, () => {
    took = milliseconds(() => runChrooted(node, 'boot'));
  });
  return took;
}

function time(name: string, node: PlayedNode, after: () => void): void {
  const own: number[] = [];
  const nothing: number[] = [];
  for (let pair = -1; pair < PAIRS; pair++) {
    const took = decided(node);
    after();
    const idle = milliseconds(() => spawnSync('chroot', [node.root, '/usr/bin/busybox', 'true']));
    if (pair < 0) continue;
    own.push(took);
    nothing.push(idle);
  }
  console.log(
    `${name}: median ${median(own).toFixed(1)} ms (most ${Math.max(...own).toFixed(1)}), ` +
      `a program that does nothing ${median(nothing).toFixed(1)} ms; ${PAIRS} pairs in turn`,
  );
}

/** Bytes, writes and flushes of boots, each with the kernel's own commits of the file system before the next. */
async function written(name: string, node: PlayedNode, after: () => void): Promise<void> {
  const logged = await onLoggedDisk(node);
  const disk = diskOf(node);
  const ranges: (readonly [number, number])[] = [];
  try {
    for (let boot = 0; boot < 5; boot++) {
      spawnSync('sync', ['-f', disk]);
      const from = logged.entries();
      decided(node);
      spawnSync('sync', ['-f', disk]);
      ranges.push([from, logged.entries()]);
      after();
    }
  } finally {
    const { entries } = await logged.close();
    const of = ranges.map(([from, to]) => entries.slice(from, to));
    const bytes = of.map((some) => some.reduce((sum, { data }) => sum + data.length, 0));
    const writes = of.map((some) => some.filter(({ data }) => data.length > 0).length);
    console.log(
      `${name}: ${median(bytes) / 1024} KiB in ${median(writes)} writes, medians of ${ranges.length}`,
    );
  }
}

async function made(prepare: (node: PlayedNode) => void): Promise<PlayedNode> {
  const node = goodNode();
  prepare(node);
  await withPrograms(node, ['sha256sum', 'tee']);
  return node;
}

/** Puts the records back as they are now: the next boot is the trial's first once more. */
function asNow(node: PlayedNode): () => void {
  const kept = join(node.root, 'kept');
  cpSync(join(node.root, 'opt/sextant/records'), kept, { recursive: true });
  return () => {
    const folder = existsSync(diskOf(node)) ? diskOf(node) : node.root;
    const records = join(folder, 'opt/sextant/records');
    rmSync(records, { recursive: true });
    cpSync(kept, records, { recursive: true });
  };
}

const onTrial = (node: PlayedNode) => upgraded(node, 'second broken');
const good = await made(() => {});
time('a good pair', good, () => {});
const trial = await made(onTrial);
time('a pair on trial, its try counted durably', trial, asNow(trial));
await written('a boot of a good pair writes', turnedOff(good.root), () => {});
const again = await made(onTrial);
await written('a boot of a pair on trial writes', again, asNow(again));
forgetGoodNode();
