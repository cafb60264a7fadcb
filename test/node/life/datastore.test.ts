import { beforeEach, expect, test } from 'vitest';
import { takeSnapshot } from '../../../src/node/kubernetes/snapshot.ts';
import { PREVIOUS_FILE, RECORD_FILE } from '../../../src/node/model/paths.ts';
import { parseRecords } from '../../../src/node/model/records-text.ts';
import { put } from '../rooted-host.ts';
import {
  adopted,
  linked,
  type PlayedNode,
  pairOf,
  playedNode,
  powerOn,
  records,
  shutDown,
  upgraded,
  watchFor,
} from './played-node.ts';

const DATASTORE = '/var/lib/rancher/k3s/server/db/state.db';
let node: PlayedNode;
beforeEach(() => {
  node = playedNode();
  put(node, DATASTORE, 'of before');
  adopted(node, 'first works');
  powerOn(node);
  watchFor(node);
});

/** The next minor version on trial with a snapshot of before, not healthy, the node about to go back. */
function failedTrial(): void {
  takeSnapshot(node, '3', 'v1.33.4+k3s1');
  upgraded(node, 'second broken', 'v1.34.1+k3s1', undefined, '3');
  powerOn(node);
  put(node, DATASTORE, 'of the trial');
  watchFor(node);
  expect(pairOf(node, 'second broken').state).toBe('bad');
  shutDown(node);
}
const restoreIn = (path: string) => {
  const parsed = parseRecords(node.readText(path) ?? '', path);
  return parsed.ok ? parsed.records.datastore.restore : parsed.message;
};

test('the datastore is put back before the pair of before starts, and said, for people and for machines', () => {
  failedTrial();
  powerOn(node);
  expect(linked(node)).toBe('first works');
  expect(node.readText(DATASTORE)).toBe('of before');
  expect(node.said.out).toContain('the datastore snapshot 3 was put back; what was written since');
  expect(node.said.err).toContain('sextant-node: the datastore snapshot 3 was put back');
  expect([RECORD_FILE, PREVIOUS_FILE].map(restoreIn)).toEqual([null, null]);
  put(node, DATASTORE, 'of after');
  shutDown(node);
  powerOn(node);
  expect(node.readText(DATASTORE)).toBe('of after');
});

test('before it is touched both copies of the records say so; whichever is left has it put back', () => {
  failedTrial();
  let seen: unknown[] = [];
  const copy = node.programs.get('cp');
  node.programs.set('cp', (args, options) => {
    seen = [RECORD_FILE, PREVIOUS_FILE].map(restoreIn);
    copy?.(args, options);
    throw new Error('the machine is gone');
  });
  expect(() => powerOn(node)).not.toThrow();
  expect(seen).toEqual(['3', '3']);
  if (copy) node.programs.set('cp', copy);
  node.unlink(RECORD_FILE);
  powerOn(node);
  expect(linked(node)).toBe('first works');
  expect(node.readText(DATASTORE)).toBe('of before');
  expect(records(node).datastore.restore).toBeNull();
});

test('a snapshot that is not whole is not put back, and nothing starts on a datastore it cannot read', () => {
  failedTrial();
  node.unlink('/opt/sextant/snapshots/3/snapshot.json');
  powerOn(node);
  expect(node.readText(DATASTORE)).toBe('of the trial');
  expect(linked(node)).toBeUndefined();
  expect(node.said.out).toContain('/opt/sextant/snapshots/3: no such snapshot');
});
