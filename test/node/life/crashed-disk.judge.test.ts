import { createHash } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { randomFrom } from '../../../src/lab/random.ts';
import { gc } from '../../../src/node/commands/gc.ts';
import { retire } from '../../../src/node/commands/retire.ts';
import { obtainImage, writeRootHash } from '../../../src/node/download/obtain.ts';
import { replaceFile } from '../../../src/node/files.ts';
import { takeSnapshot } from '../../../src/node/kubernetes/snapshot.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import type { ExtensionFile } from '../../../src/node/model/types.ts';
import { readRecords } from '../../../src/node/records-file.ts';
import { afterCuts, canLogDisks, type DiskHistory, mounted } from '../../logged-disk.ts';
import { extensionFile } from '../fake-node.ts';
import { diskOf, onLoggedDisk } from '../logged-node.ts';
import { put } from '../rooted-host.ts';
import {
  adopted,
  forgetGoodNode,
  goodNode,
  linked,
  type PlayedNode,
  pairOf,
  playedNode,
  powerOn,
  records,
  rolledBack,
  shutDown,
  turnedOff,
  upgraded,
  watchFor,
} from './played-node.ts';

/** Each step of a node's life is over once its function has returned: a power cut behind that loses nothing of it. */
type Life = readonly (readonly [string, (node: PlayedNode) => void])[];

const LIFE: Life = [
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

/** From the takeover to the end, by another minor version whose snapshot is put back, a live exchange and what is cleaned up. */
const WITH_DATASTORE: Life = [
  ['it is taken over', (node) => adopted(node, 'first works', undefined, obtained(node, 'first works'))],
  ['its first boot', powerOn],
  ['the verdict "good"', watchFor],
  [
    'a snapshot is taken, and another minor version recorded',
    (node) => {
      takeSnapshot(node, '3', 'v1.33.4+k3s1');
      fetched(node, 'second broken', 'v1.34.1+k3s1', '3');
    },
  ],
  ['the boot of that', powerOn],
  ['it writes', (node) => replaceFile(node, DATASTORE, 'of the trial', 0o600)],
  ['the verdict "bad"', watchFor],
  ['the boot that puts the datastore back', powerOn],
  ['the verdict "good" on the pair before', watchFor],
  ['another one is exchanged live', (node) => fetched(node, 'third works', undefined, null, 'live')],
  ['the verdict "good" on that', watchFor],
  ['what nothing needs is removed', (node) => gc.run(told(node))],
  ['the node is given back', (node) => retire.run(told(node, ['yes']))],
];
const DATASTORE = '/var/lib/rancher/k3s/server/db/state.db';

function told(node: PlayedNode, options: readonly string[] = []) {
  return { host: node, words: [], options: new Map(options.map((name) => [name, ''])) };
}

function fetched(
  node: PlayedNode,
  content: string,
  kubernetes?: string,
  snapshot: string | null = null,
  how: 'later' | 'live' = 'later',
): void {
  upgraded(node, content, kubernetes, obtained(node, content), snapshot, how);
}

/** An extension's file, by the real code that downloads it. */
function obtained(node: PlayedNode, content: string): ExtensionFile {
  const file = extensionFile(content);
  put(node, '/media/stick/image', content);
  obtainImage(node, file, { kind: 'file', place: '/media/stick/image' }, () => {});
  writeRootHash(node, file);
  return file;
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

/** Lives on a real ext4, has the power cut behind every write that reached the disk, and the next boot decide. */
async function crashed(
  node: PlayedNode,
  life: Life,
  prepare: (node: PlayedNode) => void = () => {},
): Promise<Crashes> {
  const logged = await onLoggedDisk(node);
  prepare(node);
  const expected: string[] = [];
  const ends: number[] = [];
  let history: DiskHistory;
  try {
    // What the boot after each step decides, on what its files hold; they may be in memory only.
    const decidedNow = () => nextBoot(turnedOff(node.root));
    expected.push(decidedNow());
    for (const [, step] of life) {
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
    if (!right.includes(outcome)) wrong.push({ after, step: life[step]?.[0] ?? '', lost, outcome });
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
    const data = node.readText(DATASTORE) ?? 'no data';
    const { records: found, problem } = readRecords(node);
    // Given back, the records go last, and it does not matter how many of them are left.
    if (found?.retired || problem?.code === 'missing') return `${linked(node)} on ${data}: not ours`;
    const { generations } = records(node);
    const pairs = generations.map(({ id, state, tries, files }) => {
      // Of a bad pair it does not matter whether they are removed already.
      const lost = state !== 'bad' && !files.every((file) => node.stat(storeFile(file)));
      const there = lost ? ' (no file)' : '';
      return `${id} ${state} ${tries}${there}`;
    });
    return `${linked(node)} on ${data}: ${pairs.join(', ')}`;
  } catch (error) {
    return `${linked(node)} on ${node.readText(DATASTORE)}: ${error}`;
  }
}

afterAll(forgetGoodNode);

test.skipIf(!canLogDisks())(
  'power cuts behind every write of a life on a real ext4, unsynced writes lost: each next boot decides what it should (needs root, loop devices and FUSE)',
  async () => {
    const { writes, cuts, wrong } = await crashed(goodNode(), LIFE);
    expect(wrong).toEqual([]);
    expect(writes).toBeGreaterThan(100);
    expect(cuts).toBeGreaterThan(writes);
  },
);

test.skipIf(!canLogDisks())(
  'the same with a datastore, from the takeover until the node is given back (needs root, loop devices and FUSE)',
  async () => {
    const node = playedNode();
    put(node, DATASTORE, 'of before');
    const { writes, cuts, wrong } = await crashed(node, WITH_DATASTORE);
    expect(wrong).toEqual([]);
    expect(writes).toBeGreaterThan(100);
    expect(cuts).toBeGreaterThan(writes);
  },
);

test.skipIf(!canLogDisks())(
  'the same without the syncs: cuts are found that lose what was done',
  async () => {
    const { wrong } = await crashed(goodNode(), LIFE, (node) => {
      node.sync = () => {};
    });
    expect(wrong.length).toBeGreaterThan(0);
  },
);
