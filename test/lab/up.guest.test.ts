import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { sextant } from '../sextant.ts';
import { labCore, labRelease } from './release.ts';

// Two nodes take a quarter of an hour on two emulated processors: `make lab` runs this, `make test` has the same nodes one by one.
const WANTED = process.env.SEXTANT_LAB_UP === '1';

let release: string;
let folder: string;

beforeAll(async () => {
  if (!WANTED) return;
  release = labRelease();
  await labCore(new AbortController().signal);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'up-'));
});
afterEach(async () => {
  lab('down', '--lab', 'pair');
  await rm(folder, { recursive: true });
});

const lab = (...args: string[]) =>
  sextant(['lab', ...args], { cwd: folder, env: { XDG_STATE_HOME: join(folder, 'state') } });

test.skipIf(!WANTED)(
  '`lab up` with two nodes and a cloud-config: both are followed to Ready, and are what a person then finds',
  async () => {
    await writeFile(
      join(folder, 'mine.yaml'),
      '#cloud-config\nstages:\n  initramfs:\n    - files: [{ path: /etc/mine, content: "by mine.yaml", permissions: 0644 }]\n',
    );
    const up = lab('up', '--name', 'pair', '--nodes', '2', '--config', 'mine.yaml', '--release', release);
    expect(up.stderr).not.toContain('error:');
    expect(up.code).toBe(0);
    expect(up.stdout).toContain('Lab pair is up: node1, node2');
    for (const node of ['node1', 'node2']) {
      expect(lab('run', node, 'cat', '/etc/mine').stdout).toBe('by mine.yaml');
    }
    // The server by its own API, the agent by the server's.
    expect(up.stderr).toMatch(/^ok node1: .*node Ready \d+ s/m);
    expect(up.stderr).toMatch(/^ok node2: node Ready /m);
    const nodes = lab('run', 'node1', 'k3s', 'kubectl', 'get', 'nodes').stdout;
    expect(nodes).toMatch(/^node1 +Ready /m);
    expect(nodes).toMatch(/^node2 +Ready /m);
    expect(lab('down').code).toBe(0);
    // The holder takes its folder away after it has answered.
    await expect.poll(() => readdir(join(folder, 'state/sextant/lab'))).toEqual([]);
  },
);
