import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { carryOut, execute } from '../../../src/node/effects/execute.ts';
import { HostError } from '../../../src/node/host/host.ts';
import { emptyRecords } from '../../../src/node/model/adopt.ts';
import type { Effect } from '../../../src/node/model/effects.ts';
import { persist, recordFolders } from '../../../src/node/model/persist.ts';
import { readRecords } from '../../../src/node/records-file.ts';
import { fakeNode } from '../fake-node.ts';
import { put, type RootedHost } from '../rooted-host.ts';

const records = (counter: number) => ({ ...emptyRecords('none'), counter });
const kept = (host: RootedHost) => readRecords(host).records?.counter;

test('records that are persisted are read back, and again when they change', () => {
  const host = fakeNode();
  carryOut(host, { effects: [...recordFolders(), ...persist(records(1), { recordFile: 'other' })] });
  expect(kept(host)).toBe(1);
  carryOut(host, { effects: persist(records(2), { recordFile: 'whole' }) });
  expect(kept(host)).toBe(2);
  put(host, '/opt/sextant/records/generations.json', 'damaged');
  const loaded = readRecords(host);
  expect(loaded).toMatchObject({ records: { counter: 1 }, recordFile: 'other' });
  expect(loaded.note).toContain('/opt/sextant/records/generations.json: not a record of generations');
});

test('it stops at the first failure and says which effect that was', () => {
  const host = fakeNode();
  put(host, '/opt/file');
  const effects: Effect[] = [
    { do: 'write', path: '/opt/new', text: 'one' },
    { do: 'make-folder', path: '/opt/file' },
    { do: 'unlink', path: '/opt/new' },
  ];
  const { done, failed } = execute(host, effects);
  expect(done).toBe(1);
  expect(failed?.effect).toBe(effects[1]);
  expect(failed?.failure.message).toBe('/opt/file: mkdir failed with EEXIST');
  expect(host.readText('/opt/new')).toBe('one');
  expect(() => carryOut(host, { effects })).toThrow('/opt/file: mkdir failed with EEXIST');
});

test('a full disk is said in words', () => {
  const host = fakeNode();
  host.writeNew = () => {
    throw new HostError('ENOSPC', 'write', '/opt/sextant/records/.generations.new');
  };
  const { failed } = execute(host, [
    { do: 'write', path: '/opt/sextant/records/.generations.new', text: '' },
  ]);
  expect(failed?.failure).toMatchObject({
    code: 'filesystem',
    message: '/opt/sextant/records/.generations.new: no space left on the disk',
    hint: expect.stringContaining('sextant-node gc'),
  });
});

describe('each effect', () => {
  test('write replaces what is there and follows no link', () => {
    const host = fakeNode();
    put(host, '/opt/elsewhere', 'kept');
    symlinkSync('/opt/elsewhere', join(host.root, '/opt/new'));
    carryOut(host, { effects: [{ do: 'write', path: '/opt/new', text: 'text' }] });
    expect(host.readText('/opt/new')).toBe('text');
    expect(host.readText('/opt/elsewhere')).toBe('kept');
    expect(host.lstat('/opt/new')?.mode).toBe(0o644);
  });

  test('a link changes in one step, and is there again after a second time', () => {
    const host = fakeNode();
    const effects: Effect[] = [
      { do: 'make-folder', path: '/opt/links' },
      { do: 'unlink', path: '/opt/links/.new' },
      { do: 'symlink', target: '../a', path: '/opt/links/.new' },
      { do: 'rename', from: '/opt/links/.new', to: '/opt/links/a' },
      { do: 'sync-folder', path: '/opt/links' },
    ];
    carryOut(host, { effects });
    carryOut(host, { effects });
    expect(host.readlink('/opt/links/a')).toBe('../a');
    expect(host.list('/opt/links')).toEqual(['a']);
  });

  test('only an empty folder is removed, and none is fine', () => {
    const host = fakeNode();
    put(host, '/opt/full/file');
    host.mkdir('/opt/empty', 0o755);
    carryOut(host, {
      effects: ['/opt/full', '/opt/empty', '/opt/none'].map(
        (path) => ({ do: 'remove-folder', path }) as const,
      ),
    });
    expect(host.list('/opt')).toEqual(['full']);
  });

  test('a hard link needs a free name', () => {
    const host = fakeNode();
    put(host, '/opt/a', 'x');
    const effects: Effect[] = [{ do: 'hard-link', from: '/opt/a', to: '/opt/b' }];
    expect(execute(host, effects).failed).toBeNull();
    expect(execute(host, effects).failed?.failure.message).toContain('/opt/b');
  });
});
