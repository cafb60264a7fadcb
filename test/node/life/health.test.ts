import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { RECORD_FILE } from '../../../src/node/model/paths.ts';
import { put } from '../rooted-host.ts';
import {
  adopted,
  forgetGoodNode,
  goodNode,
  linked,
  type PlayedNode,
  pairOf,
  playedNode,
  powerOn,
  records,
  rolledBack,
  upgraded,
  watchFor,
} from './played-node.ts';

afterAll(forgetGoodNode);

/** A pair on trial that would become good. */
function onTrial(content = 'second works'): PlayedNode {
  const node = goodNode();
  upgraded(node, content);
  powerOn(node);
  return node;
}
const verdictOf = (node: PlayedNode) => {
  watchFor(node);
  const { state, health } =
    records(node).generations.find(({ id }) => id === records(node).boot?.generation) ?? {};
  return { state, detail: health?.at(-1)?.detail };
};
const pod = (name: string, ready: boolean, kind = 'DaemonSet') => ({
  metadata: { name: `${name}-x`, ownerReferences: [{ kind, name }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});

describe('a pair is not good', () => {
  test('while the API shows the node as it was before this boot', () => {
    const node = onTrial();
    node.behaviour.reported = 'an earlier boot';
    expect(verdictOf(node)).toEqual({
      state: 'bad',
      detail: 'the kubelet of node node-1 has not reported on this boot',
    });
    expect(node.asked).toEqual(['reboot']);
  });

  test('while its kubelet renews no lease', () => {
    const node = onTrial();
    node.behaviour.alive = false;
    expect(verdictOf(node)).toEqual({
      state: 'bad',
      detail: 'the kubelet of node node-1 does not renew its lease',
    });
  });

  test('while a system pod is worse than it was with the pair before', () => {
    const node = onTrial();
    node.behaviour.pods = [pod('kube-proxy', true), pod('coredns', false)];
    expect(verdictOf(node)).toEqual({
      state: 'bad',
      detail: 'not ready in kube-system, and they were before: DaemonSet/coredns',
    });
  });

  test('while no service of Kubernetes runs', () => {
    const node = onTrial();
    node.behaviour.units = [];
    expect(verdictOf(node)).toEqual({ state: 'bad', detail: 'no service of Kubernetes runs' });
  });

  test.each([
    ['#!/bin/sh\necho "disk is slow" >&2\nexit 3\n', 'ended with 3: disk is slow'],
    ['#!/bin/sh\nkill -9 $$\n', 'was ended by signal 9'],
  ])('while a check of the user fails: %j', (script, said) => {
    const node = onTrial();
    put(node, '/etc/sextant/health.d/10-mine', script, 0o755);
    put(node, '/etc/sextant/health.d/README', 'no check');
    put(node, '/etc/sextant/settings.json', '{"patienceSeconds": 20}');
    expect(verdictOf(node)).toEqual({ state: 'bad', detail: `/etc/sextant/health.d/10-mine ${said}` });
  });

  test('when it is interrupted before the set time is over', () => {
    const node = onTrial();
    watchFor(node, 50);
    node.behaviour.healthy = () => false;
    watchFor(node, 10);
    node.behaviour.healthy = () => true;
    watchFor(node, 50);
    expect(pairOf(node, 'second works').state).toBe('trying');
    watchFor(node);
    expect(pairOf(node, 'second works').state).toBe('good');
  });
});

describe('a pair is good', () => {
  test('and the node’s object in the cluster says once what runs, on every boot', () => {
    const node = onTrial();
    const told = () => node.behaviour.told.map((patch) => JSON.parse(patch).metadata.labels);
    verdictOf(node);
    const id = String(pairOf(node, 'second works').id);
    expect(told()).toEqual([
      { 'sextant/generation': id, 'sextant/state': 'trying' },
      { 'sextant/generation': id, 'sextant/state': 'good' },
    ]);
    node.behaviour.told = [];
    rolledBack(node, pairOf(node, 'first works').id);
    powerOn(node);
    watchFor(node);
    expect(told()).toEqual([
      { 'sextant/generation': String(pairOf(node, 'first works').id), 'sextant/state': 'good' },
    ]);
  });

  test('with a system pod that was not ready before either', () => {
    const node = playedNode();
    node.behaviour.pods = [pod('svclb', false), pod('job', false, 'Job')];
    adopted(node, 'first works');
    powerOn(node);
    watchFor(node);
    expect(pairOf(node, 'first works').state).toBe('good');
    upgraded(node, 'second works');
    powerOn(node);
    expect(verdictOf(node).state).toBe('good');
  });

  test('with checks of the user that pass, told which generation it is about', () => {
    const node = onTrial();
    put(
      node,
      '/etc/sextant/health.d/10-mine',
      `#!/bin/sh\n[ "$SEXTANT_GENERATION" = ${records(node).boot?.generation} ]\n`,
      0o755,
    );
    put(node, '/etc/sextant/settings.json', '{"settleSeconds": 12}');
    expect(verdictOf(node).state).toBe('good');
  });
});

test('the first generation that is never Ready goes on, nothing else is booted, and it may still become good', () => {
  const node = playedNode();
  adopted(node, 'first works later');
  node.behaviour.healthy = () => false;
  for (let boots = 0; boots < 5; boots++) {
    powerOn(node);
    watchFor(node, 2000);
    expect(linked(node)).toBe('first works later');
  }
  expect(node.asked).toEqual([]);
  expect(pairOf(node, 'first works later')).toMatchObject({ state: 'trying', tries: 0 });
  expect(node.said.out).toContain('it goes on, because nothing better can run here');
  node.behaviour.healthy = () => true;
  watchFor(node);
  expect(pairOf(node, 'first works later').state).toBe('good');
});

describe('the merge', () => {
  const foreign = (node: PlayedNode) => {
    put(node, '/var/lib/kairos/extensions/tools.sysext.raw', 'x');
    symlinkSync(
      '/var/lib/kairos/extensions/tools.sysext.raw',
      join(node.root, '/run/extensions/tools.sysext.raw'),
    );
  };
  // systemd-sysext on mounts of its own, where only one image is enabled.
  const refusing = (node: PlayedNode, name: string) =>
    node.programs.set('systemd-run', (args) => {
      expect(args).toContain('--property=BindReadOnlyPaths=/run/sextant/alone:/run/extensions');
      const [image, ...more] = (node.list('/run/sextant/alone') ?? []).filter((one) => one.endsWith('.raw'));
      expect(more).toEqual([]);
      return image?.includes(name) ? { code: 1, stderr: 'Image does not satisfy the policy' } : {};
    });

  test('that another extension breaks is no fault of ours: it is named, and the try is given back', () => {
    const node = goodNode();
    upgraded(node, 'second works');
    node.behaviour.breaking = ['tools'];
    powerOn(node);
    foreign(node);
    refusing(node, 'tools');
    expect(verdictOf(node)).toEqual({
      state: 'trying',
      detail: 'the merge failed because of another extension: tools',
    });
    expect(pairOf(node, 'second works').tries).toBe(0);
    expect(node.ran.filter((line) => line === 'systemctl restart systemd-sysext.service')).toHaveLength(2);
    expect(node.asked).toEqual([]);
    expect(node.said.out).toContain('the merge fails because of tools');
  });

  test('that refuses ours ends the trial at once', () => {
    const node = goodNode();
    upgraded(node, 'second works');
    node.behaviour.breaking = ['provider-kairos'];
    powerOn(node);
    foreign(node);
    refusing(node, 'provider-kairos');
    expect(verdictOf(node).state).toBe('bad');
    expect(node.clock).toBeLessThan(300);
    expect(node.asked).toEqual(['reboot']);
  });

  test('that was too slow at the boot is tried again', () => {
    const node = goodNode();
    upgraded(node, 'second works');
    node.behaviour.breaking = ['for want of time'];
    powerOn(node);
    node.behaviour.breaking = [];
    expect(verdictOf(node).state).toBe('good');
  });
});

describe('an agent', () => {
  const agent = () => {
    const node = onTrial();
    node.behaviour.units = ['k3s-agent.service'];
    put(
      node,
      '/var/lib/rancher/k3s/agent/etc/k3s-agent-load-balancer.json',
      '{"ServerURL":"https://10.0.0.1:6443","ServerAddresses":["10.0.0.1:6443"]}',
    );
    return node;
  };

  test('whose servers are away has its try back, and time does not run against it', () => {
    const node = agent();
    node.behaviour.healthy = () => false;
    node.behaviour.serverThere = false;
    watchFor(node, 5000);
    expect(pairOf(node, 'second works')).toMatchObject({ state: 'trying', tries: 0 });
    expect(pairOf(node, 'second works').health.map(({ result }) => result)).toEqual(['server-away']);
    expect(node.asked).toEqual([]);
    node.behaviour.healthy = () => true;
    watchFor(node);
    expect(pairOf(node, 'second works').state).toBe('good');
  });

  test('that cannot reach a server which answers others is bad', () => {
    const node = agent();
    node.behaviour.healthy = () => false;
    expect(verdictOf(node).state).toBe('bad');
    expect(node.asked).toEqual(['reboot']);
  });
});

describe('the watch', () => {
  test('that is started again does not begin its patience anew', () => {
    const node = onTrial('second broken');
    watchFor(node, 600);
    watchFor(node);
    expect(node.clock).toBeLessThan(960);
    expect(node.asked).toEqual(['reboot']);
  });

  test('writes nothing while nothing happens', () => {
    const node = onTrial('second broken');
    const before = node.stat(RECORD_FILE)?.inode;
    watchFor(node, 800);
    expect(node.stat(RECORD_FILE)?.inode).toBe(before);
  });

  test('has nothing to do on a boot that is not the recorded one', () => {
    const node = onTrial('second broken');
    put(node, '/proc/sys/kernel/random/boot_id', 'another\n');
    watchFor(node);
    expect(node.clock).toBe(20);
  });
});
