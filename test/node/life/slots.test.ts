import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { osImage } from '../observe/images.ts';
import { put } from '../rooted-host.ts';
import {
  forgetGoodNode,
  goodNode,
  linked,
  type PlayedNode,
  pairOf,
  powerOn,
  records,
  upgraded,
  watchFor,
} from './played-node.ts';

afterAll(forgetGoodNode);

const ENVIRONMENT = '# GRUB Environment Block\n';

/** What kairos-agent upgrade does: the image that ran becomes the passive one, a new one is active. */
function upgradeSystem(node: PlayedNode, uuid: string): void {
  put(node, '/state/cOS/passive.img', node.readBytes('/state/cOS/active.img', 0, 1e9) ?? '');
  put(node, '/state/cOS/active.img', osImage('ext2', uuid, '9'));
  put(node, '/state/boot_assessment', `${ENVIRONMENT}enable_boot_assessment=yes\n`);
}

/** What GRUB boots. */
function choose(node: PlayedNode, slot: 'active' | 'passive'): void {
  rmSync(join(node.root, '/run/cos'), { recursive: true });
  put(node, `/run/cos/${slot}_mode`, '1');
  put(node, '/dev/loop0', node.readBytes(`/state/cOS/${slot}.img`, 0, 1e9) ?? '');
}

function withGrub(node: PlayedNode): PlayedNode {
  node.programs.set('grub-editenv', ([path = '', verb, ...words]) => {
    if (verb === 'set') put(node, path, `${ENVIRONMENT}${words.join('\n')}\n`);
    else put(node, path, ENVIRONMENT);
    return {};
  });
  return node;
}

describe('an upgrade of the operating system by kairos-agent', () => {
  test('that works: the same extension becomes good with it', () => {
    const node = withGrub(goodNode());
    upgradeSystem(node, 'cccccccccccc');
    choose(node, 'active');
    powerOn(node);
    expect(linked(node)).toBe('first works');
    const { wanted, generations } = records(node);
    expect(generations.find(({ id }) => id === wanted)).toMatchObject({
      state: 'trying',
      tries: 1,
      osName: 'kairos-core-debian-13 v4.1.9',
    });
    watchFor(node);
    expect(records(node).generations.map(({ state }) => state)).toEqual(['good', 'good']);
  });

  test('that does not: after its tries the other slot is booted, and the pair that ran there runs', () => {
    const node = withGrub(goodNode());
    upgradeSystem(node, 'cccccccccccc');
    choose(node, 'active');
    node.behaviour.healthy = () => false;
    for (let boots = 0; boots < 3; boots++) powerOn(node);
    expect(node.asked).toEqual([]);
    powerOn(node);
    expect(node.asked).toEqual(['reboot']);
    expect(node.ran).toContain('systemctl reboot --force --force');
    expect(node.readText('/oem/grubenv')).toContain('next_entry=fallback');
    choose(node, 'passive');
    node.behaviour.healthy = () => true;
    powerOn(node);
    expect(linked(node)).toBe('first works');
    expect(records(node).generations.find(({ id }) => id === records(node).boot?.generation)?.state).toBe(
      'good',
    );
  });

  test('and the other slot cannot be asked for: the boot goes on with what there is', () => {
    const node = withGrub(goodNode());
    upgradeSystem(node, 'cccccccccccc');
    choose(node, 'active');
    node.behaviour.healthy = () => false;
    for (let boots = 0; boots < 3; boots++) powerOn(node);
    node.programs.set('grub-editenv', () => ({ code: 1, stderr: 'cannot write' }));
    powerOn(node);
    expect(node.asked).toEqual([]);
    expect(linked(node)).toBe('first works');
    expect(node.said.out).toContain('grub-editenv failed with exit code 1: cannot write');
  });
});

test('a tentative mark that GRUB left behind goes once our own count has taken over', () => {
  const node = withGrub(goodNode());
  put(node, '/state/boot_assessment', `${ENVIRONMENT}boot_assessment_tentative=yes\n`);
  powerOn(node);
  expect(node.readText('/state/boot_assessment')).toBe(ENVIRONMENT);
});

test('a mark that sent a node with one operating system in both slots to the passive one goes there', () => {
  const node = withGrub(goodNode());
  put(node, '/state/cOS/passive.img', node.readBytes('/state/cOS/active.img', 0, 1e9) ?? '');
  const left = `${ENVIRONMENT}enable_boot_assessment=yes\nboot_assessment_tentative=yes\n`;
  put(node, '/state/boot_assessment', left);
  choose(node, 'passive');
  powerOn(node);
  expect(linked(node)).toBe('first works');
  expect(node.readText('/state/boot_assessment')).toBe(ENVIRONMENT);
});

test('a mark that cannot be taken away costs no boot', () => {
  const node = goodNode();
  put(node, '/state/boot_assessment', `${ENVIRONMENT}boot_assessment_tentative=yes\n`);
  node.programs.set('grub-editenv', () => ({ code: 1, stderr: 'cannot write' }));
  powerOn(node);
  expect(linked(node)).toBe('first works');
  expect(node.said.out).toContain("GRUB's boot assessment could not be ended: grub-editenv failed");
  expect(node.stat('/run/sextant/boot.json')).toBeDefined();
});

test('the passive slot booted by hand runs a pair that was good with it, never the trial of the other', () => {
  const node = withGrub(goodNode());
  upgradeSystem(node, 'cccccccccccc');
  choose(node, 'active');
  powerOn(node);
  watchFor(node);
  upgraded(node, 'second broken');
  choose(node, 'passive');
  powerOn(node);
  expect(linked(node)).toBe('first works');
  expect(pairOf(node, 'second broken').tries).toBe(0);
});
