import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeState } from '../../src/lab/state.ts';
import { checkRoom, claimName } from '../../src/lab/up.ts';
import { sextant } from '../sextant.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  process.env.XDG_STATE_HOME = join(folder, 'state');
});
afterEach(async () => {
  delete process.env.XDG_STATE_HOME;
  await rm(folder, { recursive: true });
});

/** A release folder as `sextant build` leaves it, for these architectures; what is asked here never reads the images. */
async function release(...architectures: string[]): Promise<string> {
  const at = join(folder, 'dist');
  await mkdir(at, { recursive: true });
  const digest = '0'.repeat(64);
  const images = architectures.map((architecture) => ({
    architecture,
    file: `a-${architecture}.sysext.raw`,
    size: 1,
    sha256: digest,
    rootHash: digest,
  }));
  const facts = {
    schemaVersion: 1,
    name: 'provider-kairos',
    version: 'v1.2.3+k3s1',
    distribution: 'k3s',
    standin: true,
  };
  await writeFile(
    join(at, 'release.json'),
    JSON.stringify({
      ...facts,
      url: 'http://x',
      inputs: { build: digest },
      images,
      activation: 'activation.yaml',
    }),
  );
  return at;
}

const lab = (args: readonly string[], env: Record<string, string> = {}) =>
  sextant(['lab', ...args], { cwd: folder, env: { SEXTANT_CACHE: join(folder, 'cache'), ...env } });

describe('one clear line and the documented exit code', () => {
  test.each([
    [['up', '--release', 'none'], 3, 'none: there is no release here'],
    [['up', '--nodes', '0'], 2, '--nodes: 0 is not a number from 1 to 9'],
    [['up', '--name', 'Not a name'], 2, 'Not a name: not a name for a lab'],
    [['run', 'node1', 'true'], 2, 'no lab is up'],
    [['down'], 2, 'no lab is up'],
    [['test', 'no-such'], 2, 'no such scenario: no-such'],
    [['console'], 2, 'the console needs a terminal'],
    [['hold'], 2, 'this command is for `sextant lab up` to call'],
  ])('sextant lab %j', (args, code, said) => {
    const ended = lab(args);
    expect(ended.stderr).toContain(`error: `);
    expect(ended.stderr).toContain(said);
    expect(ended.code).toBe(code);
  });

  test('no QEMU: every missing program in one line, with what installs it', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await symlink(process.execPath, join(bin, 'node'));
    const { code, stderr } = lab(['up', '--release', await release('amd64')], { PATH: bin });
    expect(stderr).toMatch(/error: .*qemu-system-x86_64, qemu-img, qemu-io, debugfs: programs not found/);
    expect(stderr).toContain('apt-get install -y qemu-system-x86 qemu-utils');
    expect(code).toBe(5);
  });

  test('more memory than there is', async () => {
    const { code, stderr } = lab(['up', '--memory', '1048576', '--release', await release('amd64')]);
    expect(stderr).toMatch(/1 node of 1048576 MiB need .* of memory, .* are free/);
    expect(code).toBe(3);
  });

  test('a core image that is none', async () => {
    await writeFile(join(folder, 'image.iso'), 'hello');
    const { code, stderr } = lab(['up', '--core', 'image.iso', '--release', await release('amd64')]);
    expect(stderr).toContain('image.iso: neither a disk image nor an ISO');
    expect(code).toBe(3);
  });

  test('a release for another architecture', async () => {
    const { code, stderr } = lab(['up', '--release', await release('arm64')]);
    expect(stderr).toContain('has no extension for amd64');
    expect(code).toBe(3);
  });
});

test('two labs of one name', async () => {
  await writeState({ name: 'mine', pid: process.pid, control: '', nodes: [], release: '', server: '' });
  await expect(claimName('mine')).rejects.toThrow('lab mine is already up');
  await (await claimName('other'))();
  expect(lab(['up', '--name', 'mine', '--release', await release('amd64')]).stderr).toContain(
    'lab mine is already up',
  );
});

test('two labs of one name that are started at the same time', async () => {
  const endClaim = await claimName('mine');
  const { code, stderr } = lab(['up', '--name', 'mine', '--release', await release('amd64')]);
  expect(stderr).toContain(`error: lab mine is being started (process ${process.pid})`);
  expect(code).toBe(2);
  await endClaim();
});

test('what a lab left that was killed does not stand in the way', async () => {
  const gone = 2 ** 22 + 1; // Above the largest process id there is (proc(5), pid_max).
  await writeState({ name: 'mine', pid: gone, control: '', nodes: [], release: '', server: '' });
  await (await claimName('mine'))();
  expect(lab(['list']).stdout).toBe('no lab is up\n');
});

test('a disk without room for the nodes', async () => {
  const GiB = 1024 ** 3;
  const free = { memory: 64 * GiB, disk: 7 * GiB };
  await expect(checkRoom({ nodes: 2, memory: 4096 }, folder, free)).rejects.toThrow(
    `${folder}: 7.0 GiB free, a lab needs 8.0 GiB`,
  );
  await expect(checkRoom({ nodes: 1, memory: 4096 }, folder, free)).resolves.toBeUndefined();
});

test('memory is counted for all nodes', async () => {
  const GiB = 1024 ** 3;
  const free = { memory: 8 * GiB, disk: 64 * GiB };
  await expect(checkRoom({ nodes: 2, memory: 4096 }, folder, free)).rejects.toThrow(
    '2 nodes of 4096 MiB need 9.0 GiB',
  );
  await expect(checkRoom({ nodes: 1, memory: 4096 }, folder, free)).resolves.toBeUndefined();
});
