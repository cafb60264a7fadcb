import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { restoreSnapshot } from '../../../src/node/effects/snapshot.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { snapshotNames, snapshotSize, takeSnapshot } from '../../../src/node/kubernetes/snapshot.ts';
import { place, realPrograms, rootedHost } from '../rooted.ts';

const SERVER = '/var/lib/rancher/k3s/server';
let root: string;
let host: Host;
const database = () => readFileSync(`${root}${SERVER}/db/state.db`, 'utf8');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sextant-snapshot-'));
  realPrograms(root, ['cp']);
  place(root, `${SERVER}/db/state.db`, 'before', 0o600);
  place(root, `${SERVER}/db/state.db-wal`, 'log');
  host = rootedHost(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a datastore snapshot', () => {
  test('is what putting it back takes, with what came later gone', () => {
    expect(snapshotSize(host)).toBe(9);
    takeSnapshot(host, '4', 'v1.33.4+k3s1');
    expect(snapshotNames(host)).toEqual(['4']);
    writeFileSync(`${root}${SERVER}/db/state.db`, 'after');
    place(root, `${SERVER}/db/newer`, 'x');
    restoreSnapshot(host, '4');
    expect(database()).toBe('before');
    expect(statSync(`${root}${SERVER}/db/state.db`).mode & 0o777).toBe(0o600);
    expect(readdirSync(`${root}${SERVER}/db`)).toEqual(['state.db', 'state.db-wal']);
    expect(readdirSync(`${root}${SERVER}`)).toEqual(['db']);
  });

  test('that fails half-way leaves nothing, and the earlier one stays', () => {
    takeSnapshot(host, '4', 'v1.33.4+k3s1');
    writeFileSync(`${root}${SERVER}/db/state.db`, 'after');
    const full = {
      ...host,
      sync: (path: string) => {
        if (path.endsWith('state.db')) throw new Error('no space');
        host.sync(path);
      },
    };
    expect(() => takeSnapshot(full, '4', 'v1.33.4+k3s1')).toThrow('no space');
    expect(readdirSync(`${root}/opt/sextant/snapshots`)).toEqual(['4']);
    restoreSnapshot(host, '4');
    expect(database()).toBe('before');
  });

  test('of a node without an embedded datastore is one clear error', () => {
    rmSync(`${root}${SERVER}`, { recursive: true });
    expect(() => takeSnapshot(host, '4', 'v1.33.4+k3s1')).toThrow('there is no embedded datastore');
  });
});
