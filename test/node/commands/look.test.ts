import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { historyOf } from '../../../src/node/commands/history.ts';
import { statusFacts } from '../../../src/node/commands/status-facts.ts';
import { statusText } from '../../../src/node/commands/status-text.ts';
import { WIDTH, wrap } from '../../../src/node/commands/text.ts';
import type { Observation } from '../../../src/node/model/observation.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import type { Generation, Records } from '../../../src/node/model/types.ts';
import { observe } from '../../../src/node/observe/observe.ts';
import { expectGolden } from '../../golden.ts';
import { KUBECONFIG } from '../life/played-node.ts';
import { place, program } from '../rooted.ts';
import { type FakeNode, fakeNode } from './fake-node.ts';

let node: FakeNode;
let first: Records;
beforeEach(() => {
  node = fakeNode();
  first = node.adopted(node.activated(Buffer.from('one'), 'a'.repeat(64)));
});
afterEach(() => node.remove());

const at = (minute: number) => `2026-11-22T10:${String(minute).padStart(2, '0')}:00.000Z`;

/** A node in the middle of its life: an older system, a good pair, a bad one, and one on trial. */
function midLife(): Records {
  const [good] = first.generations as [Generation];
  const pair = (id: number, fields: Partial<Generation>): Generation => ({
    ...good,
    id,
    files: [{ name: 'provider-kairos', sha256: String(id).repeat(64), rootHash: 'b'.repeat(64), size: 3 }],
    created: at(id),
    changed: at(id),
    ...fields,
  });
  for (const id of [2, 3, 4])
    place(node.root, storeFile(pair(id, {}).files[0] as Generation['files'][number]), 'two');
  const health = [
    { at: at(2), result: 'good' as const, detail: 'node Ready for 60 s, 7 of 7 system pods run' },
  ];
  return {
    ...first,
    counter: 5,
    generations: [
      { ...good, health, changed: at(1) },
      pair(2, { os: 'other-os', osName: 'kairos-core-debian-13 v4.0.9', state: 'superseded', turn: 1 }),
      pair(3, {
        kubernetes: 'v1.33.5+k3s1',
        state: 'bad',
        tries: 3,
        turn: 0,
        why: 'it had its 3 tries and Kubernetes never became healthy on it',
        health: [{ at: at(3), result: 'silent', detail: 'the API server did not answer in 900 s' }],
      }),
      pair(4, {
        kubernetes: 'v1.34.1+k3s1',
        state: 'trying',
        tries: 1,
        turn: 0,
        why: 'Kubernetes v1.34.1+k3s1 was asked for',
        snapshot: '4',
      }),
    ],
    wanted: 4,
    pins: [1],
    boot: { id: 'boot-1', slot: 'active', os: good.os, generation: 4, counted: true, outcome: 'open' },
    datastore: {
      kind: 'single',
      version: 'v1.33.4+k3s1',
      trial: { generation: 4, version: 'v1.34.1+k3s1', snapshot: '4' },
      restore: null,
    },
    log: [
      { at: at(1), text: 'generation 1: Kubernetes was healthy on it for the set time' },
      { at: at(4), text: 'generation 4: Kubernetes v1.34.1+k3s1 was asked for' },
    ],
  };
}
const look = (records: Records, changes: Partial<Observation> = {}) => ({
  host: node.host,
  records,
  observation: { ...observe(node.host, { records, recordFile: 'whole' }), ...changes },
  note: null,
});

describe('status', () => {
  test('of a trial says what runs, what is kept and what comes next, in 80 columns', () => {
    const text = statusText(
      statusFacts(
        look(midLife(), { other: { slot: 'passive', os: 'other-os' }, foreign: ['wifi-firmware'] }),
      ),
    );
    expectGolden(text, 'test/node/golden/status-trial.txt');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(WIDTH);
  });

  test('of a quiet node is short', () => {
    const { code, out } = node.run(['status']);
    expect(code).toBe(0);
    expectGolden(out, 'test/node/golden/status-good.txt');
  });

  test('says what someone has to look at, and shows no control characters', () => {
    const records = midLife();
    node.host.unlink(storeFile(records.generations[0]?.files[0] as Generation['files'][number]));
    const strange = { ...records, boot: { ...(records.boot as object), id: 'another' } as Records['boot'] };
    const text = statusText({ ...statusFacts(look(strange)), nextBoot: 'evil \u001b[2J text' });
    expect(text).toContain('Look at this\n  - /var/lib/kairos/extensions/sextant/');
    expect(text).toContain('decided nothing on this boot');
    expect(text).toContain('Evil ?[2J text.');
  });

  test('--json has the same facts', () => {
    node.write(midLife());
    const facts = JSON.parse(node.run(['status', '--json']).out) as ReturnType<typeof statusFacts>;
    expect(facts).toMatchObject({
      running: { id: 4, state: 'trying', wanted: true },
      settings: { tries: 3 },
    });
    expect(facts.generations.map(({ id }) => id)).toEqual([4, 3, 2, 1]);
    expect(facts.slots).toMatchObject([
      { slot: 'active', running: true, generation: 4 },
      { slot: 'passive' },
    ]);
  });

  test('is for root, and needs a record', () => {
    const asUser = node.run(['status'], (host) => ({ ...host, userId: () => 1000 }));
    expect(asUser).toMatchObject({
      code: 7,
      err: 'error: status: only root can do this\nhint: sudo sextant-node status\n',
    });
    node.host.unlink('/opt/sextant/records/generations.json');
    expect(node.run(['status'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('hint: run: sextant-node adopt'),
    });
  });
});

test('history has the log and the health in order', () => {
  expect(historyOf(midLife()).map(({ text }) => text.slice(0, 30))).toEqual([
    'generation 1: Kubernetes was h',
    'generation 1: health good: nod',
    'generation 3: health silent: t',
    'generation 4: Kubernetes v1.34',
  ]);
  node.write(midLife());
  expectGolden(node.run(['history']).out, 'test/node/golden/history.txt');
  expect(JSON.parse(node.run(['history', '--json']).out)).toHaveLength(4);
});

test('explain tells all of one generation, and of no other', () => {
  node.write(midLife());
  expectGolden(
    node.run(['explain', '3']).out + node.run(['explain', '4']).out,
    'test/node/golden/explain.txt',
  );
  expect(JSON.parse(node.run(['explain', '3', '--json']).out)).toMatchObject({ id: 3, state: 'bad' });
  expect(node.run(['explain', '9'])).toMatchObject({
    code: 3,
    err: expect.stringContaining('there is no generation 9'),
  });
  expect(node.run(['explain', 'x'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('"x" is no generation'),
  });
});

describe('pin and unpin', () => {
  test('change the record and say so', () => {
    expect(node.run(['pin', '1']).out).toContain('is\npinned');
    expect(node.records().pins).toEqual([1]);
    expect(node.run(['unpin', '1']).out).toBe('Generation 1 is no longer pinned.\n');
    expect(node.run(['unpin', '1'])).toMatchObject({
      code: 8,
      err: expect.stringContaining('is not pinned'),
    });
  });
});

describe('gc', () => {
  test('removes what nothing needs, and says it beforehand with --dry-run', () => {
    node.write({
      ...midLife(),
      wanted: null,
      boot: { ...(midLife().boot as NonNullable<Records['boot']>), generation: 1 },
    });
    place(node.root, '/opt/sextant/snapshots/9/snapshot.json', '{}');
    place(node.root, `/var/lib/kairos/extensions/sextant/${'e'.repeat(64)}/.part`, 'x');
    const before = node.durable();
    const dry = node.run(['gc', '--dry-run']).out;
    expect(node.durable()).toEqual(before);
    const wet = node.run(['gc']).out;
    expect(wet).toBe(dry.replaceAll('would remove', 'removed').replaceAll('would forget', 'forgotten'));
    expectGolden(dry, 'test/node/golden/gc-dry-run.txt');
    expect(existsSync(`${node.root}/opt/sextant/snapshots/9`)).toBe(false);
    expect(
      existsSync(`${node.root}${storeFile(first.generations[0]?.files[0] as Generation['files'][number])}`),
    ).toBe(true);
    expect(node.run(['gc']).out).toBe('Nothing can be removed.\n');
  });
});

describe('rollback', () => {
  const two = (): Records => {
    const [old] = first.generations as [Generation];
    const records = midLife();
    const fresh = {
      ...(records.generations[3] as Generation),
      id: 2,
      state: 'good' as const,
      turn: 2,
      snapshot: '2',
      tries: 0,
    };
    return {
      ...records,
      counter: 2,
      wanted: null,
      pins: [],
      generations: [{ ...old, state: 'superseded' }, fresh],
      boot: { ...(records.boot as NonNullable<Records['boot']>), generation: 2 },
      datastore: { kind: 'single', version: 'v1.34.1+k3s1', trial: null, restore: null },
    };
  };

  test('behind a minor version is refused without the snapshot, and restores it when told to', () => {
    node.write(two());
    place(node.root, '/opt/sextant/snapshots/2/data/state.db', 'x');
    place(
      node.root,
      '/opt/sextant/snapshots/2/snapshot.json',
      JSON.stringify({
        format: 1,
        folder: '/var/lib/rancher/k3s/server/db',
        kubernetes: 'v1.33.4+k3s1',
        created: '',
      }),
    );
    expect(node.run(['rollback', '--to', '1'])).toMatchObject({
      code: 8,
      err: expect.stringContaining('--restore-datastore'),
    });
    const dry = node.run(['rollback', '--to', '1', '--restore-datastore', '--dry-run']);
    expect(dry.out).toContain('what was written since is lost');
    expect(node.records().datastore.restore).toBeNull();
    expect(node.run(['rollback', '--to', '1', '--restore-datastore']).code).toBe(0);
    expect(node.records().datastore.restore).toBe('2');
    expect(node.calls().at(-1)).toBe('systemctl reboot');
  });

  test('puts no snapshot back on one of several servers', () => {
    node.write(two());
    const members = (count: number) => {
      const answer = JSON.stringify({ items: Array(count).fill({}) });
      program(node.root, 'curl', `case "$*" in *etcd*) echo '${answer}';; *) exit 22;; esac`);
    };
    place(node.root, '/etc/rancher/k3s/k3s.yaml', KUBECONFIG);
    place(node.root, '/var/lib/rancher/k3s/server/db/etcd/member', '');
    members(3);
    expect(node.run(['rollback', '--to', '1', '--restore-datastore'])).toMatchObject({
      code: 8,
      err: expect.stringContaining('3 servers share the datastore'),
    });
    members(1);
    expect(node.run(['rollback', '--to', '1', '--restore-datastore']).err).toContain('no such snapshot');
  });

  test('needs a snapshot that is there, and of the right version', () => {
    node.write(two());
    const lost = node.run(['rollback', '--to', '1', '--restore-datastore']);
    expect(lost).toMatchObject({
      code: 3,
      err: expect.stringContaining('/opt/sextant/snapshots/2: no such snapshot'),
    });
    expect(node.run(['rollback', '--restore-datastore'])).toMatchObject({ code: 2 });
    expect(node.records().datastore.restore).toBeNull();
  });
});

test('lines are wrapped with their indents', () => {
  expect(wrap('  - one two', '    ')).toBe('  - one two\n');
  expect(wrap(`${'a'.repeat(60)} ${'b'.repeat(30)}`, '  ')).toBe(`${'a'.repeat(60)}\n  ${'b'.repeat(30)}\n`);
});
