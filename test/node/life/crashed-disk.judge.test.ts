import { createHash } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { randomFrom } from '../../../src/lab/random.ts';
import { obtainImage, writeRootHash } from '../../../src/node/download/obtain.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import { afterCuts, canLogDisks, type DiskHistory, mounted } from '../../logged-disk.ts';
import { extensionFile } from '../fake-node.ts';
import { diskOf, onLoggedDisk } from '../logged-node.ts';
import { put } from '../rooted-host.ts';
import {
  forgetGoodNode,
  goodNode,
  linked,
  type PlayedNode,
  pairOf,
  powerOn,
  records,
  rolledBack,
  shutDown,
  turnedOff,
  upgraded,
  watchFor,
} from './played-node.ts';

/** A node's life, each step of which is over once its function has returned: a power cut behind that loses nothing of it. */
const LIFE: readonly (readonly [string, (node: PlayedNode) => void])[] = [
  ['an upgrade is fetched and recorded', (node) => fetched(node, 'second broken')],
  ['its first boot', powerOn],
  ['an orderly shutdown without a verdict', shutDown],
  ['its second boot', powerOn],
  ['the verdict "bad"', watchFor],
  ['the boot of the pair before', powerOn],
  ['the verdict "good" on it', watchFor],
  ['another one is', (node) => fetched(node, 'third works')],
  ['the boot of that', powerOn],
  ['the verdict "good", and what is cleaned up with it', watchFor],
  ['the way back is asked for', (node) => rolledBack(node, pairOf(node, 'first works').id)],
  ['the boot of the first pair', powerOn],
  ['the verdict "good" on it again', watchFor],
];

function fetched(node: PlayedNode, content: string): void {
  const file = extensionFile(content);
  put(node, '/media/stick/image', content);
  obtainImage(node, file, { kind: 'file', place: '/media/stick/image' }, () => {});
  writeRootHash(node, file);
  upgraded(node, content, undefined, file);
}

interface Crash {
  /** Entry of the log behind which the power was cut, and the step that was under way. */
  readonly after: number;
  readonly step: string;
  readonly lost: string;
  readonly outcome: string;
}

interface Crashes {
  readonly writes: number;
  readonly cuts: number;
  /** After these the next boot decided what neither the state before the step nor the one after it explains. */
  readonly wrong: readonly Crash[];
}

/** Lives LIFE on a real ext4, cuts the power behind every write that reached the disk, and has the next boot decide. */
async function crashed(prepare: (node: PlayedNode) => void = () => {}): Promise<Crashes> {
  const node = goodNode();
  prepare(node);
  const logged = await onLoggedDisk(node);
  const expected: string[] = [];
  const ends: number[] = [];
  let history: DiskHistory;
  try {
    // What the boot after each step decides, on what its files hold; they may be in memory only.
    const decidedNow = () => nextBoot(turnedOff(node.root));
    expected.push(decidedNow());
    for (const [, step] of LIFE) {
      step(node);
      ends.push(logged.entries());
      expected.push(decidedNow());
    }
  } finally {
    history = await logged.close();
  }

  const copy = turnedOff(node.root);
  const seed = Date.now() % 2 ** 32;
  const outcomes = new Map<string, string>();
  const wrong: Crash[] = [];
  let cuts = 0;
  for (const { after, lost, disk: left } of afterCuts(history, randomFrom(seed))) {
    const step = ends.findIndex((end) => after <= end);
    if (step < 0) break; // What the kernel writes when it unmounts.
    const digest = createHash('sha256').update(left).digest('hex');
    const outcome = outcomes.get(digest) ?? mounted(left, diskOf(copy), () => nextBoot(copy));
    outcomes.set(digest, outcome);
    cuts++;
    const right = after === ends[step] ? [expected[step + 1]] : [expected[step], expected[step + 1]];
    if (!right.includes(outcome)) wrong.push({ after, step: LIFE[step]?.[0] ?? '', lost, outcome });
  }
  console.log(
    `${history.entries.length} writes and flushes, ${cuts} cuts (seed ${seed}), ${outcomes.size} different disks`,
  );
  return { writes: history.entries.length, cuts, wrong };
}

/** What the next boot decides, and what it leaves on record; one line. */
function nextBoot(node: PlayedNode): string {
  try {
    powerOn(node);
    const { generations } = records(node);
    const pairs = generations.map(({ id, state, tries, files }) => {
      const there = files.every((file) => node.stat(storeFile(file))) ? '' : ' (no file)';
      return `${id} ${state} ${tries}${there}`;
    });
    return `${linked(node)}: ${pairs.join(', ')}`;
  } catch (error) {
    return `${error}`;
  }
}

afterAll(forgetGoodNode);

test.skipIf(!canLogDisks())(
  'power cuts behind every write of a life on a real ext4, unsynced writes lost: each next boot decides what it should (needs root, loop devices and FUSE)',
  async () => {
    const { writes, cuts, wrong } = await crashed();
    expect(wrong).toEqual([]);
    expect(writes).toBeGreaterThan(100);
    expect(cuts).toBeGreaterThan(writes);
  },
);

test.skipIf(!canLogDisks())(
  'the same without the syncs: cuts are found that lose what was done',
  async () => {
    const { wrong } = await crashed((node) => {
      node.sync = () => {};
    });
    expect(wrong.length).toBeGreaterThan(0);
  },
);
