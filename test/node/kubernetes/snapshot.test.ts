import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Host } from '../../../src/node/host/host.ts';
import {
  datastoreFolders,
  restoreSnapshot,
  snapshotNames,
  snapshotSize,
  takeSnapshot,
} from '../../../src/node/kubernetes/snapshot.ts';
import { place, realPrograms, rootedHost } from '../rooted.ts';

const DB = '/var/lib/rancher/k3s/server/db';
let root: string;
let host: Host;
const database = () => readFileSync(`${root}${DB}/state.db`, 'utf8');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sextant-snapshot-'));
  realPrograms(root, ['cp']);
  place(root, `${DB}/state.db`, 'before', 0o600);
  place(root, `${DB}/state.db-wal`, 'log');
  host = rootedHost(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a datastore snapshot', () => {
  test('is a copy that restoring puts back, with what came later gone', () => {
    expect(datastoreFolders(host)).toEqual([DB]);
    expect(snapshotSize(host)).toBe(9);
    takeSnapshot(host, '4', 'v1.33.4+k3s1');
    expect(snapshotNames(host)).toEqual(['4']);
    writeFileSync(`${root}${DB}/state.db`, 'after');
    place(root, `${DB}/newer`, 'x');
    expect(restoreSnapshot(host, '4')).toEqual([DB]);
    expect(database()).toBe('before');
    expect(statSync(`${root}${DB}/state.db`).mode & 0o777).toBe(0o600);
    expect(readdirSync(`${root}${DB}`)).toEqual(['state.db', 'state.db-wal']);
    expect(readdirSync(`${root}${DB}/..`)).toEqual(['db']);
  });

  test('that fails half-way leaves nothing, and the earlier one stays', () => {
    takeSnapshot(host, '4', 'v1.33.4+k3s1');
    writeFileSync(`${root}${DB}/state.db`, 'after');
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

  test('can be put back again from whatever point it was cut short at', () => {
    takeSnapshot(host, '4', 'v1.33.4+k3s1');
    writeFileSync(`${root}${DB}/state.db`, 'after');
    const calls = ['mkdir', 'rename', 'sync', 'unlink', 'rmdir', 'run'] as const;
    let cuts = 0;
    for (let allowed = 0; ; allowed += 1) {
      const copy = mkdtempSync(join(tmpdir(), 'sextant-snapshot-'));
      cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
      const there = rootedHost(copy);
      let left = allowed;
      const cut = Object.fromEntries(
        calls.map((name) => [
          name,
          (...args: never[]) => {
            if (left-- <= 0) throw new Error('cut');
            return (there[name] as (...all: never[]) => unknown)(...args);
          },
        ]),
      );
      let done = true;
      try {
        restoreSnapshot({ ...there, ...cut } as Host, '4');
      } catch {
        done = false;
        restoreSnapshot(there, '4');
      }
      expect(readFileSync(`${copy}${DB}/state.db`, 'utf8')).toBe('before');
      expect(existsSync(`${copy}${DB}.sextant-new`) || existsSync(`${copy}${DB}.sextant-old`)).toBe(false);
      rmSync(copy, { recursive: true, force: true });
      if (done) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(8);
  });

  test.for([
    ['none', undefined],
    ['no description', '{}'],
    ['a description of other folders', '{"format":1,"folders":["/etc"]}'],
  ] as const)('where there is %s is one clear error', ([_, content]) => {
    if (content !== undefined) place(root, '/opt/sextant/snapshots/9/content.json', content);
    expect(() => restoreSnapshot(host, '9')).toThrow(
      /^\/opt\/sextant\/snapshots\/9\/content.json: (there is no such snapshot|not the description)/,
    );
  });
});
