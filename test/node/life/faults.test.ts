import { afterAll, describe, expect, test } from 'vitest';
import { type Host, HostError } from '../../../src/node/host/host.ts';
import { boot } from '../../../src/node/life/boot.ts';
import { CHANGES, type Change, guardedChanges } from '../changes.ts';
import { put } from '../rooted-host.ts';
import {
  forgetGoodNode,
  goodNode,
  linked,
  type PlayedNode,
  pairOf,
  powerOn,
  records,
  shutDown,
  upgraded,
  watchFor,
} from './played-node.ts';

/** Calls `before` in front of each change of the node, until the function that is returned is called. */
function intercepted(node: PlayedNode, before: (name: Change, path: string) => void): () => void {
  const own = Object.fromEntries(CHANGES.map((name) => [name, node[name]]));
  Object.assign(node, guardedChanges(node, before));
  return () => {
    Object.assign(node, own);
  };
}

/** Runs `work` on the node, which loses its power before change number `after`; true when it got to the end before that. */
function cutPower(node: PlayedNode, after: number, work: (host: Host) => void): boolean {
  let changes = 0;
  const restore = intercepted(node, (_, path) => {
    // What is on a tmpfs is gone in any case; only the merge's links tell how far it got.
    if (/^\/(opt|var|oem|run\/extensions)\//.test(path)) changes++;
    if (changes > after) throw new Error('no power');
  });
  try {
    work(node);
  } catch {
    // The process is gone.
  } finally {
    restore();
  }
  return changes <= after;
}

afterAll(forgetGoodNode);

describe('power cuts', () => {
  test('at any point of a boot on trial: the next boot runs a pair it may, and no try is counted twice', () => {
    let cuts = 0;
    for (let after = 0; ; after++) {
      const node = goodNode();
      upgraded(node, 'second broken');
      let whole = false;
      powerOn(node, (host) => {
        whole = cutPower(host, after, boot);
      });
      const before = pairOf(node, 'second broken').tries;
      expect(before).toBeLessThanOrEqual(1);
      powerOn(node);
      expect(linked(node)).toBe('second broken');
      expect(pairOf(node, 'second broken').tries).toBe(before + 1);
      for (let boots = before + 1; boots < 3; boots++) powerOn(node);
      powerOn(node);
      expect(linked(node)).toBe('first works');
      watchFor(node);
      expect(pairOf(node, 'first works').state).toBe('good');
      if (whole) break;
      cuts++;
    }
    expect(cuts).toBeGreaterThan(10);
  });

  test('at any point of the return from a bad pair: the pair before runs, and the bad one is not chosen again once that is recorded', () => {
    let cuts = 0;
    for (let after = 0; ; after++) {
      const node = goodNode();
      put(node, '/etc/sextant/settings.json', '{"patienceSeconds": 30}');
      upgraded(node, 'second broken');
      powerOn(node);
      watchFor(node, 25);
      const whole = cutPower(node, after, () => watchFor(node, 60));
      const judged = pairOf(node, 'second broken').state === 'bad';
      powerOn(node);
      expect(linked(node)).toBe(judged ? 'first works' : 'second broken');
      if (!judged) watchFor(node);
      powerOn(node);
      expect(linked(node)).toBe('first works');
      if (whole) break;
      cuts++;
    }
    expect(cuts).toBeGreaterThan(6);
  });

  test('at any point of a verdict that is good: it is good, or on trial again', () => {
    let cuts = 0;
    for (let after = 0; ; after++) {
      const node = goodNode();
      put(node, '/etc/sextant/settings.json', '{"settleSeconds": 20}');
      upgraded(node, 'second works');
      powerOn(node);
      watchFor(node, 15);
      const whole = cutPower(node, after, () => watchFor(node, 100));
      powerOn(node);
      expect(linked(node)).toBe('second works');
      watchFor(node);
      expect(pairOf(node, 'second works').state).toBe('good');
      expect(records(node).generations.filter(({ state }) => state === 'good')).toHaveLength(1);
      if (whole) break;
      cuts++;
    }
    expect(cuts).toBeGreaterThan(6);
  });
});

describe('a disk that is full', () => {
  const full = (node: PlayedNode) =>
    intercepted(node, (name, path) => {
      const persistent = path.startsWith('/opt/') || path.startsWith('/var/');
      if (persistent && ['writeNew', 'copyNew', 'mkdir', 'symlink', 'link'].includes(name))
        throw new HostError('ENOSPC', 'write', path);
    });

  test('at a boot: what would have to be counted is not tried; the good pair runs, and it is said', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    const empty = full(node);
    powerOn(node);
    expect(linked(node)).toBe('first works');
    expect(node.said.out).toContain('no space left on the disk');
    expect(node.said.out).toContain('the records cannot be written: free space on COS_PERSISTENT');
    expect(JSON.parse(node.readText('/run/sextant/boot.json') ?? '').problem).toContain('no space left');
    empty();
    powerOn(node);
    expect(linked(node)).toBe('second broken');
  });

  test('when a verdict is due: the machine restarts all the same, and the next boot decides', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    powerOn(node);
    const empty = full(node);
    watchFor(node);
    expect(node.asked).toEqual(['reboot']);
    expect(node.said.out).toContain('it cannot be left as decided: restarting');
    powerOn(node);
    expect(linked(node)).toBe('first works');
    empty();
  });

  test('a shutdown that cannot be recorded costs a try, and no more', () => {
    const node = goodNode();
    upgraded(node, 'second broken');
    powerOn(node);
    const empty = full(node);
    expect(() => shutDown(node)).toThrow('no space left on the disk');
    empty();
    expect(pairOf(node, 'second broken').tries).toBe(1);
  });
});

describe('a restart that fails after a verdict', () => {
  /** A reboot asks 25 times and then the manager itself. */
  const ASKED = 26;
  const judged = () => {
    const node = goodNode();
    put(node, '/etc/sextant/settings.json', '{"patienceSeconds": 30}');
    upgraded(node, 'second broken');
    powerOn(node);
    return node;
  };

  test('is asked for again, also when Kubernetes seems well by then', () => {
    const node = judged();
    node.behaviour.failingRestarts = ASKED;
    node.behaviour.healthy = () => node.behaviour.failingRestarts < ASKED;
    watchFor(node);
    expect(node.asked).toEqual(['reboot']);
    expect(pairOf(node, 'second broken').state).toBe('bad');
    node.behaviour.healthy = (content) => content.includes('works');
    powerOn(node);
    expect(linked(node)).toBe('first works');
  });

  test('is asked for by a watch that is started again', () => {
    const node = judged();
    node.behaviour.failingRestarts = Number.POSITIVE_INFINITY;
    watchFor(node, 100);
    expect(pairOf(node, 'second broken').state).toBe('bad');
    expect(node.asked).toEqual([]);
    node.behaviour.failingRestarts = 0;
    watchFor(node, 10);
    expect(node.asked).toEqual(['reboot']);
  });

  test('is asked for without end', () => {
    const node = judged();
    node.behaviour.failingRestarts = 20 * ASKED;
    watchFor(node);
    expect(node.asked).toEqual(['reboot']);
    expect(node.said.out).toContain('it cannot be left as decided: restarting');
  });
});

test('health of the pair before says nothing about the one that was exchanged live in that moment', () => {
  const node = goodNode();
  powerOn(node);
  const curl = node.programs.get('curl') as NonNullable<ReturnType<typeof node.programs.get>>;
  let exchanged = false;
  node.programs.set('curl', (args, ...rest) => {
    const answer = curl(args, ...rest);
    if (!exchanged && node.clock >= 80 && String(args.at(-1)).includes('/pods?')) {
      exchanged = true;
      upgraded(node, 'second broken', undefined, undefined, null, 'live');
    }
    return answer;
  });
  watchFor(node);
  expect(exchanged).toBe(true);
  expect(linked(node)).toBe('second broken');
  expect(pairOf(node, 'second broken').state).toBe('trying');
  expect(records(node).boot?.outcome).toBe('open');
  expect(node.said.out).not.toContain('second');
});

describe('what fails on a boot', () => {
  test('whatever call of the host fails for good: the boot goes on, with a pair of ours or what was linked', () => {
    for (const failing of CHANGES) {
      const node = goodNode();
      upgraded(node, 'second broken');
      const mend = intercepted(node, (name, path) => {
        if (name === failing) throw new HostError('EIO', name, path);
      });
      powerOn(node, boot);
      mend();
      expect(['first works', 'second broken']).toContain(linked(node));
      powerOn(node);
      expect(linked(node)).toBe('second broken');
    }
  });
});
