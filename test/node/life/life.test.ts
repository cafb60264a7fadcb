import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../../src/node/life/boot.ts';
import { shutdown } from '../../../src/node/life/shutdown.ts';
import { generation } from '../../../src/node/model/change.ts';
import { PREVIOUS_FILE, RECORD_FILE, storeFile } from '../../../src/node/model/paths.ts';
import type { ExtensionFile } from '../../../src/node/model/types.ts';
import { put } from '../rooted-host.ts';
import {
  adopted,
  forgetGoodNode,
  goodNode,
  linked,
  pairOf,
  playedNode,
  powerOn,
  records,
  shutDown,
  upgraded,
  watchFor,
} from './played-node.ts';

afterAll(forgetGoodNode);

describe('a node that works', () => {
  test('its first generation becomes good after it was healthy for the set time', () => {
    const node = playedNode();
    adopted(node, 'first works');
    powerOn(node);
    expect(pairOf(node, 'first works').state).toBe('trying');
    watchFor(node, 55);
    expect(pairOf(node, 'first works').state).toBe('trying');
    watchFor(node);
    expect(pairOf(node, 'first works')).toMatchObject({ state: 'good', tries: 0 });
    expect(node.clock).toBeLessThan(200);
    expect(node.asked).toEqual([]);
  });

  test("the verdict is on every console, by the kernel's log", () => {
    const node = playedNode();
    const shown: string[] = [];
    node.programs.set('tee', ([path], options) => {
      if (path === '/dev/kmsg') shown.push(options.input ?? '');
      return {};
    });
    adopted(node, 'first works');
    powerOn(node);
    watchFor(node);
    expect(shown.at(-1)).toMatch(/^<\d>sextant: generation 1 \(.+\) is good$/);
  });

  test('an upgrade that works becomes good, and the first one steps back', () => {
    const node = goodNode();
    upgraded(node, 'second works');
    powerOn(node);
    expect(linked(node)).toBe('second works');
    expect(pairOf(node, 'second works')).toMatchObject({ state: 'trying', tries: 1 });
    watchFor(node);
    expect(pairOf(node, 'second works')).toMatchObject({ state: 'good', tries: 0 });
    expect(pairOf(node, 'first works').state).toBe('superseded');
    expect(records(node).wanted).toBeNull();
  });

  test('what runs is pinned to its root hash and said, for people and for machines', () => {
    const node = goodNode();
    powerOn(node);
    const { files } = pairOf(node, 'first works');
    expect(node.readText('/run/extensions/provider-kairos.sysext.roothash')).toBe(files[0]?.rootHash);
    expect(JSON.parse(node.readText('/run/sextant/boot.json') ?? '')).toMatchObject({
      format: 1,
      runs: 1,
      state: 'good',
      kubernetes: 'v1.33.4+k3s1',
      operatingSystem: 'kairos-core-debian-13 v4.1.0',
      problem: null,
    });
    expect(node.said.out).toContain(
      'sextant: generation 1 (Kubernetes v1.33.4+k3s1 on kairos-core-debian-13 v4.1.0) is the newest good one',
    );
  });

  test('once good, the extension’s own sextant-node is installed, if it runs', () => {
    const node = goodNode();
    upgraded(node, 'second works');
    powerOn(node);
    put(node, '/usr/lib/sextant/sextant-node', '#!/bin/sh\n[ "$1" = --version ]\n', 0o755);
    watchFor(node);
    expect(node.readText('/opt/sextant/bin/sextant-node')).toContain('--version');
    put(node, '/usr/lib/sextant/sextant-node', '#!/bin/sh\nexit 1\n', 0o755);
    upgraded(node, 'third works', 'v1.33.6+k3s1');
    powerOn(node);
    watchFor(node);
    expect(pairOf(node, 'third works').state).toBe('good');
    expect(node.readText('/opt/sextant/bin/sextant-node')).toContain('--version');
    expect(node.list('/opt/sextant/bin')).toEqual(['sextant-node']);
    expect(node.said.out).toContain('/usr/lib/sextant/sextant-node does not run; the old sextant-node stays');
  });
});

describe('an upgrade that does not work', () => {
  test('is left by itself when Kubernetes does not answer in time', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    powerOn(node);
    expect(linked(node)).toBe('second broken');
    watchFor(node);
    expect(node.clock).toBeGreaterThan(900);
    expect(node.clock).toBeLessThan(930);
    expect(node.asked).toEqual(['reboot']);
    expect(pairOf(node, 'second broken')).toMatchObject({ state: 'bad' });
    expect(pairOf(node, 'second broken').health.at(-1)?.result).toBe('silent');
    shutDown(node);
    powerOn(node);
    expect(linked(node)).toBe('first works');
    watchFor(node);
    expect(pairOf(node, 'first works').state).toBe('good');
    expect(node.asked).toEqual(['reboot']);
  });

  test('that takes the machine down has three boots, then the pair before runs', () => {
    const node = goodNode();
    upgraded(node, 'second panics');
    const ran = [1, 2, 3, 4, 5].map(() => {
      powerOn(node);
      return linked(node);
    });
    expect(ran).toEqual(['second panics', 'second panics', 'second panics', 'first works', 'first works']);
    expect(pairOf(node, 'second panics')).toMatchObject({ state: 'bad', tries: 3 });
  });

  test('loses no try to clean shutdowns, however many there are', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    for (let count = 0; count < 7; count++) {
      powerOn(node);
      expect(linked(node)).toBe('second broken');
      watchFor(node, 300);
      shutDown(node);
      expect(pairOf(node, 'second broken').tries).toBe(0);
    }
    expect(node.said.out).toContain('has its try back: the node was shut down before its verdict');
  });

  test('a watch that is stopped while the machine goes on gives nothing back', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    powerOn(node);
    shutdown(node);
    expect(pairOf(node, 'second broken').tries).toBe(1);
  });

  test('a file whose bytes are wrong is not even tried', () => {
    const node = goodNode();
    upgraded(node, 'second works');
    const { id, files } = pairOf(node, 'second works');
    const path = storeFile(files[0] as ExtensionFile);
    put(node, path, 'second WORKS');
    powerOn(node);
    expect(linked(node)).toBe('first works');
    expect(node.said.out).toContain(`DAMAGED: ${path} has the SHA-256`);
    expect(generation(records(node), id)?.tries).toBe(0);
    powerOn(node);
    expect(linked(node)).toBe('first works');
  });
});

describe('records', () => {
  test('that are damaged are gone on from the copy before the last change', () => {
    const node = goodNode();
    put(node, RECORD_FILE, '{"format":1,"crc32c":"0');
    powerOn(node);
    expect(linked(node)).toBe('first works');
    expect(node.said.out).toContain(
      `WARNING: ${RECORD_FILE}: not a record of generations, or one cut short; going on from ${PREVIOUS_FILE}`,
    );
    expect(records(node).boot?.id).toContain('-of-all');
  });

  test('both damaged: what immucore linked runs, held to its root hash, and it is said', () => {
    const node = goodNode();
    const [file] = pairOf(node, 'first works').files;
    put(node, RECORD_FILE, 'x');
    put(node, PREVIOUS_FILE, 'y');
    powerOn(node);
    expect(linked(node)).toBe('first works');
    expect(node.readText('/run/extensions/provider-kairos.sysext.roothash')).toBe(file?.rootHash);
    expect(node.said.out).toContain(
      `ERROR: ${RECORD_FILE}: not a record of generations, or one cut short; ${PREVIOUS_FILE}: not a record of generations, or one cut short; this boot runs what the slot's folder links`,
    );
    expect(node.readText(RECORD_FILE)).toBe('x');
  });

  test('of a newer format are left alone', () => {
    const node = goodNode();
    put(node, RECORD_FILE, '{"format":7,"crc32c":"00000000","records":{}}\n');
    powerOn(node);
    expect(node.said.out).toContain('record format 7; this sextant-node knows format 1');
    expect(node.readText(RECORD_FILE)).toContain('"format":7');
  });

  test('there are none: nothing is done and nothing is said', () => {
    const node = playedNode();
    powerOn(node);
    expect(node.said).toEqual({ out: '', err: '' });
    expect(node.list('/run/systemd/system')).toEqual([]);
  });

  test('decide once for each boot, however often they are asked', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    powerOn(node);
    boot(node);
    boot(node);
    expect(pairOf(node, 'second broken').tries).toBe(1);
  });
});

describe('boots that are not for extensions', () => {
  test.each(['recovery', 'autoreset', 'live'])('%s: nothing is done', (mode) => {
    const node = goodNode();
    const before = node.readText(RECORD_FILE);
    node.said.out = '';
    rmSync(join(node.root, '/run/cos'), { recursive: true });
    put(node, `/run/cos/${mode}_mode`, '1');
    powerOn(node);
    expect(node.readText(RECORD_FILE)).toBe(before);
    expect(node.said.out).toBe('');
    expect(node.list('/run/systemd/system')).toEqual([]);
  });
});
