import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventsBetween } from '../../../src/node/events/changes.ts';
import { MESSAGE_IDS } from '../../../src/node/events/ids.ts';
import { metricsText } from '../../../src/node/events/metrics.ts';
import { nodePatch } from '../../../src/node/events/node-object.ts';
import { preferencesOrDefaults, readPreferences } from '../../../src/node/events/preferences.ts';
import { publish } from '../../../src/node/events/publish.ts';
import { type Host, HostError } from '../../../src/node/host/host.ts';
import { emptyRecords } from '../../../src/node/model/adopt.ts';
import type { Generation, Records } from '../../../src/node/model/types.ts';
import { expectGolden } from '../../golden.ts';
import { place, program, rootedHost } from '../rooted.ts';

const pair = (id: number, fields: Partial<Generation> = {}): Generation => ({
  id,
  os: 'os',
  osName: 'Kairos "core" v4.1.0',
  files: [{ name: 'provider-kairos', sha256: 'a'.repeat(64), rootHash: 'b'.repeat(64), size: 1 }],
  kubernetes: 'v1.33.4+k3s1',
  state: 'good',
  tries: 0,
  turn: 1,
  slot: 'active',
  why: 'Kubernetes was healthy on it for the set time',
  configuration: null,
  snapshot: null,
  created: '',
  changed: '',
  health: [{ at: 'x', result: 'good', detail: 'Ready' }],
  ...fields,
});
const boot = { id: 'b', slot: 'active', os: 'os', generation: 1, counted: false, outcome: 'open' } as const;
const records = (changes: Partial<Records> = {}): Records => ({
  ...emptyRecords('single'),
  counter: 9,
  generations: [pair(1)],
  boot,
  ...changes,
});
const names = (before: Records | null, after: Records) =>
  eventsBetween(before, after).map(({ fields }) => fields?.EVENT);

describe('events', () => {
  test.for<[string, Records | null, Records, string[]]>([
    ['the first record', null, records(), ['adopted']],
    ['nothing', records(), records(), []],
    ['an upgrade', records(), records({ generations: [pair(1), pair(2, { state: 'new' })] }), ['on-trial']],
    [
      'a live upgrade',
      records(),
      records({ generations: [pair(1), pair(2, { state: 'trying', tries: 1 })] }),
      ['on-trial', 'started'],
    ],
    [
      'its first boot',
      records({ generations: [pair(2, { state: 'new' })] }),
      records({ generations: [pair(2, { state: 'trying', tries: 1 })] }),
      ['started'],
    ],
    [
      'its second boot',
      records({ generations: [pair(2, { state: 'trying', tries: 1 })] }),
      records({ generations: [pair(2, { state: 'trying', tries: 2 })] }),
      ['started'],
    ],
    [
      'a clean shutdown',
      records({ generations: [pair(2, { state: 'trying', tries: 2 })] }),
      records({ generations: [pair(2, { state: 'trying', tries: 1 })] }),
      ['try-given-back'],
    ],
    [
      'a good verdict',
      records({ generations: [pair(1), pair(2, { state: 'trying', tries: 1 })] }),
      records({ generations: [pair(1, { state: 'superseded' }), pair(2)] }),
      ['good'],
    ],
    [
      'a bad verdict',
      records({ generations: [pair(2, { state: 'trying' })] }),
      records({ generations: [pair(2, { state: 'bad' })] }),
      ['bad'],
    ],
    [
      'a rollback with a snapshot',
      records({ generations: [pair(1, { state: 'superseded' })] }),
      records({ datastore: { ...records().datastore, restore: '2' } }),
      ['going-back', 'restore-ahead'],
    ],
    [
      'a pin and its end',
      records({ pins: [1], generations: [pair(1), pair(2)] }),
      records({ pins: [2], generations: [pair(1), pair(2)] }),
      ['pinned', 'unpinned'],
    ],
    ['a collection', records({ generations: [pair(1), pair(2)] }), records(), ['forgotten']],
    ['the end', records(), records({ retired: true }), ['retired']],
  ])('of %s', ([_, before, after, expected]) => {
    expect(names(before, after)).toEqual(expected);
  });

  test('have ids that are all different, and are those of the documentation', () => {
    const ids = Object.entries(MESSAGE_IDS);
    expect(new Set(ids.map(([, id]) => id)).size).toBe(ids.length);
    const docs = readFileSync('docs/generations.md', 'utf8');
    for (const [name, id] of ids) {
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect(docs).toMatch(new RegExp(`\\| \`${name}\` +\\| \`${id}\``));
    }
  });
});

describe('what a fleet sees', () => {
  const trial = records({
    generations: [pair(1, { state: 'trying', tries: 2 }), pair(2, { state: 'bad' })],
    wanted: 1,
  });

  test('as metrics', () => {
    expectGolden(metricsText(trial), 'test/node/golden/metrics.txt');
    expect(metricsText(emptyRecords('none'))).toContain('sextant_generation 0\n');
  });

  test('as labels and annotations of the node, which Kubernetes takes', () => {
    const { metadata } = JSON.parse(nodePatch(trial)) as {
      metadata: { labels: Record<string, string>; annotations: Record<string, string> };
    };
    expect(metadata.labels).toEqual({ 'sextant/generation': '1', 'sextant/state': 'trying' });
    for (const value of Object.values(metadata.labels))
      expect(value).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
    expect(metadata.annotations['sextant/tries']).toBe('2 of 3');
    expect(JSON.parse(nodePatch(emptyRecords('none'))).metadata.labels['sextant/state']).toBeNull();
  });
});

describe('publish', () => {
  let root: string;
  let host: Host;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'sextant-events-'));
    host = rootedHost(root, { err: () => {} });
    program(root, 'curl', 'cat >"$ROOT/patch"');
    place(root, '/proc/sys/kernel/hostname', 'Node-1\n');
    place(root, '/etc/rancher/k3s/k3s.yaml', CONFIG);
    place(root, '/run/sextant/x', '');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const calls = () => (host.readText('/calls') ?? '').trim();

  test('tells the node object with the administrator’s certificate, and leaves no key behind', () => {
    publish(host, null, records(), true);
    expect(calls()).toMatch(
      /^curl --fail .*--request PATCH .* -- https:\/\/127.0.0.1:6443\/api\/v1\/nodes\/node-1$/,
    );
    expect(JSON.parse(host.readText('/patch') ?? '')).toHaveProperty('metadata.labels');
    expect(host.list('/run/sextant')).toEqual(['x']);
  });

  test('asks nobody where nothing changed, where the cluster may not be asked, and where it is switched off', () => {
    publish(host, records(), records(), true);
    publish(host, null, records(), false);
    place(root, '/etc/sextant/settings.json', '{"nodeLabels": false}');
    publish(host, null, records(), true);
    expect(calls()).toBe('');
  });

  test('writes the textfile where there is a folder for it, and never fails', () => {
    publish(host, null, records(), false);
    expect(host.stat('/var/lib/node_exporter')).toBeUndefined();
    place(root, '/srv/metrics/other.prom', '');
    place(root, '/etc/sextant/settings.json', '{"textfileFolder": "/srv/metrics"}');
    publish(host, null, records(), false);
    expect(host.readText('/srv/metrics/sextant.prom')).toContain('sextant_generation 1\n');
    program(root, 'curl', 'exit 7');
    const full: Host = {
      ...host,
      writeNew: (path) => {
        throw new HostError('ENOSPC', 'create', path);
      },
    };
    publish(full, null, records({ wanted: 1 }), true);
    expect(host.readText('/srv/metrics/sextant.prom')).toContain('sextant_trial_wanted 0\n');
  });

  test('settings that are wrong are named, and the defaults hold for what must go on', () => {
    place(
      root,
      '/etc/sextant/settings.json',
      '{"adopt": "no", "textfileFolder": "here", "nodeLabels": 1, "tries": 5}',
    );
    expect(() => readPreferences(host)).toThrow(
      '/etc/sextant/settings.json: adopt: true or false expected; textfileFolder: an absolute path expected; nodeLabels: true or false expected',
    );
    expect(preferencesOrDefaults(host).preferences.adopt).toBe(false);
    place(root, '/etc/sextant/settings.json', 'tries: 5');
    expect(preferencesOrDefaults(host).problem).toBe('/etc/sextant/settings.json: not a JSON object');
  });
});

const CONFIG = `clusters:
- cluster:
    certificate-authority-data: QQ==
    server: https://127.0.0.1:6443
users:
- user:
    client-certificate-data: Qg==
    client-key-data: Qw==
`;
