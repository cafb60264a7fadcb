import { afterAll, expect, test } from 'vitest';
import { DEFAULT_LIFE_SETTINGS, readSettings } from '../../../src/node/life/settings.ts';
import { fakeNode } from '../fake-node.ts';
import { put } from '../rooted-host.ts';
import { forgetGoodNode, goodNode, powerOn, upgraded, watchFor } from './played-node.ts';

afterAll(forgetGoodNode);
const WATCHDOG = '/run/systemd/system.conf.d/10-sextant-trial.conf';

test('a boot writes the watch, what starts it, and the limits of the merge', () => {
  const node = goodNode();
  put(node, '/etc/sextant/settings.json', '{"mergeSeconds": 77}');
  powerOn(node);
  const unit = node.readText('/run/systemd/system/multi-user.target.wants/sextant-watch.service');
  expect(unit).toContain('\nExecStart=/opt/sextant/bin/sextant-node watch\n');
  expect(unit).toContain('\nExecStop=/opt/sextant/bin/sextant-node shutdown\n');
  expect(unit).toContain('\nRemainAfterExit=yes\n');
  const limits = node.readText('/run/systemd/system/systemd-sysext.service.d/zz-sextant-node.conf');
  expect(limits).toContain('JobRunningTimeoutSec=77');
  expect(limits).toContain('TimeoutStartSec=77');
  expect(node.stat(WATCHDOG)).toBeUndefined();
});

test('a hang during a trial is for the watchdog, until the verdict', () => {
  const node = goodNode();
  upgraded(node, 'second works');
  powerOn(node);
  expect(node.readText(WATCHDOG)).toContain('[Manager]\nRuntimeWatchdogSec=120\n');
  watchFor(node);
  expect(node.stat(WATCHDOG)).toBeUndefined();
  expect(node.ran.at(-1)).toBe('systemctl daemon-reload');
});

test.each([
  ['5\n', undefined],
  ['0\n', 'kernel.panic = 10'],
])('a kernel whose panic= is %j during a trial', (panic, setting) => {
  const node = goodNode();
  put(node, '/proc/sys/kernel/panic', panic);
  upgraded(node, 'second works');
  powerOn(node);
  const file = node.readText('/run/sysctl.d/10-sextant-trial.conf');
  if (setting === undefined) expect(file).toBeUndefined();
  else expect(file).toContain(`\n${setting}\n`);
});

test.each([
  ['/etc/sextant/settings.json', '{"watchdogSeconds": 0}'],
  ['/etc/systemd/system.conf.d/50-mine.conf', '[Manager]\nRuntimeWatchdogSec=30\n'],
])('a watchdog that someone else has set, or that is not wanted, is left alone: %s', (path, text) => {
  const node = goodNode();
  put(node, path, text);
  upgraded(node, 'second works');
  powerOn(node);
  expect(node.stat(WATCHDOG)).toBeUndefined();
});

test('settings: what is not said or wrong is the default, and every wrong one is named', () => {
  const host = fakeNode();
  expect(readSettings(host)).toEqual({ settings: DEFAULT_LIFE_SETTINGS, problems: [] });
  const file = '/etc/sextant/settings.json';
  put(host, file, '{"tries": 5, "patienceSeconds": 0, "settleSeconds": "60", "adopt": false}');
  const { settings, problems } = readSettings(host);
  expect(settings).toEqual({ ...DEFAULT_LIFE_SETTINGS, tries: 5 });
  expect(problems).toEqual([
    `${file}: patienceSeconds: a whole number from 10 to 604800 expected`,
    `${file}: settleSeconds: a whole number from 1 to 86400 expected`,
  ]);
  for (const text of ['{', '[]', 'null', '3']) {
    put(host, file, text);
    expect(readSettings(host)).toMatchObject({
      settings: DEFAULT_LIFE_SETTINGS,
      problems: [expect.anything()],
    });
  }
});
