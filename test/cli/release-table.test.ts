import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { releaseTable, resultTable } from '../../src/cli/release-table.ts';
import type { Row } from '../../src/release/matrix/types.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const row = (id: string, change: Partial<Row> = {}): Row => ({
  id,
  distribution: 'k3s',
  asked: '~1.36',
  architectures: ['amd64', 'arm64'],
  state: 'waiting',
  note: '',
  ...change,
});

function written(live: boolean, rows = 24) {
  let text = '';
  const view = releaseTable({
    output: { write: (more) => (text += more), columns: 100, rows },
    live,
    colour: false,
    now: () => 10_000,
  });
  return { view, text: () => text };
}

test('piped, a line whenever a release comes to another state, without control characters', () => {
  const { view, text } = written(false);
  const one = row('k3s-1.36');
  view.changed(one);
  Object.assign(one, { state: 'locking', began: 8000 });
  view.changed(one);
  Object.assign(one, { note: 'lock edgevpn' });
  view.changed(one);
  view.said(one, 'warning: something');
  Object.assign(one, { state: 'failed', note: 'no disk', ended: 9500, version: 'v1.36.3+k3s1' });
  view.changed(one);
  view.stop();
  expect(text()).toBe(
    'k3s-1.36: locking\nk3s-1.36: warning: something\nk3s-1.36: failed  v1.36.3+k3s1  no disk  1.5 s\n',
  );
});

test('on a terminal one table is drawn over itself', () => {
  const { view, text } = written(true);
  view.changed(
    row('k3s-1.36', { state: 'building', began: 8000, note: 'file system', version: 'v1.36.3+k3s1' }),
  );
  view.changed(row('k0s-stable', { asked: 'stable' }));
  vi.advanceTimersByTime(250);
  const picture =
    'k3s-1.36    v1.36.3+k3s1  amd64+arm64  building  2.0 s  file system\n' +
    'k0s-stable  stable        amd64+arm64  waiting\n';
  expect(text()).toBe(`${picture}\u001b[2A\u001b[J${picture}`);
  view.stop();
  expect(text().endsWith('\u001b[2A\u001b[J')).toBe(true);
});

test('where the terminal is too low, what failed and what runs is shown and the rest counted', () => {
  const { view, text } = written(true, 5);
  for (let at = 0; at < 6; at += 1)
    view.changed(row(`done-${at}`, { state: 'built', began: 0, ended: 1000 }));
  view.changed(row('bad', { state: 'failed', began: 0, ended: 1000, note: 'why' }));
  view.changed(row('busy', { state: 'building', began: 0 }));
  vi.advanceTimersByTime(100);
  view.stop();
  expect(text().split('\u001b')[0]?.trimEnd().split('\n').slice(-3)).toEqual([
    expect.stringMatching(/^bad /),
    expect.stringMatching(/^busy /),
    '... 5 more; 7 of 8 done',
  ]);
});

test('a name out of an error cannot steer the terminal', () => {
  const text = resultTable([row('k3s-1.36', { state: 'failed', note: '\u001b[2Jgone' })]);
  expect(text).not.toContain('\u001b');
});
