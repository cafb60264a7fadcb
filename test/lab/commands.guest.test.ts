import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { run } from '../../src/support/subprocess.ts';
import { sextant } from '../sextant.ts';
import { labCore, labRelease } from './release.ts';

let release: string;
let folder: string;

beforeAll(async () => {
  release = labRelease();
  await labCore(new AbortController().signal);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'commands-'));
  await mkdir(join(folder, 'tmp'));
});
afterEach(async () => {
  for (const name of ['one', 'two']) lab('down', '--lab', name);
  await rm(folder, { recursive: true });
});

const lab = (...args: string[]) =>
  sextant(['lab', ...args], {
    cwd: folder,
    env: { XDG_STATE_HOME: join(folder, 'state'), TMPDIR: join(folder, 'tmp') },
  });

/** Processes whose command line names this test's folder. */
async function processes(): Promise<string> {
  return (await run('pgrep', ['-af', folder], { okCodes: [0, 1] })).stdout.toString();
}

test('two labs at once, each with its own name: list, logs, shot, down; afterwards nothing of them is left', async () => {
  for (const name of ['one', 'two']) {
    const up = lab('up', '--name', name, '--memory', '2048', '--no-wait', '--release', release);
    expect(up.stderr).not.toContain('error:');
    expect(up.stdout).toContain(`Lab ${name} is up: node1`);
  }
  const listed = lab('list').stdout;
  expect(listed).toMatch(/^one .*node1/m);
  expect(listed).toMatch(/^two .*node1/m);
  expect(JSON.parse(lab('list', '--json').stdout)).toMatchObject([{ name: 'one' }, { name: 'two' }]);

  const unclear = lab('shot', 'node1', 'screen.png');
  expect(unclear.stderr).toContain('error: several labs are up');
  expect(unclear.code).toBe(2);

  // A screen is there as soon as the machine is.
  expect(lab('shot', '--lab', 'two', 'node1', 'screen.png')).toMatchObject({
    code: 0,
    stdout: 'screen.png\n',
  });
  const png = await readFile(join(folder, 'screen.png'));
  expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
  expect(png.readUInt32BE(16)).toBeGreaterThanOrEqual(640); // IHDR: its width.

  await expect.poll(() => lab('logs', '--lab', 'two', 'node1').stdout, { timeout: 300_000 }).not.toBe('');

  expect(lab('down', '--lab', 'two').code).toBe(0);
  expect(lab('list').stdout).not.toContain('two');
  expect(lab('list').stdout).toMatch(/^one /m);
  // The node answers some time after its boot loader; a command's output and exit code are its own.
  const ran = () => lab('run', 'node1', 'test -e /run/cos/active_mode && echo on; exit 7');
  await expect.poll(ran, { timeout: 600_000, interval: 2000 }).toMatchObject({ code: 7, stdout: 'on\n' });
  expect(lab('run', 'node1', 'printf', '%s|', 'a b', "it's").stdout).toBe("a b|it's|");
  expect(lab('run', 'node2', 'true')).toMatchObject({ code: 2, stderr: expect.stringContaining('node2') });
  expect(lab('down').code).toBe(0);
  expect(lab('list').stdout).toBe('no lab is up\n');
  await expect.poll(processes).toBe('');
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
  expect(await readdir(join(folder, 'state/sextant/lab'))).toEqual([]);
});
