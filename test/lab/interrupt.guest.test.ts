import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { coreImage } from '../../src/lab/core/index.ts';
import { installDisk } from '../../src/lab/core/install.ts';
import { CORE, makeRoot } from '../../src/lab/core/root.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { SextantError } from '../../src/support/errors.ts';
import { type Progress, silent } from '../../src/support/progress.ts';
import { run } from '../../src/support/subprocess.ts';
import { startSextant } from '../sextant.ts';
import { labCore, labRelease } from './release.ts';

let release: string;
let folder: string;

beforeAll(async () => {
  release = labRelease();
  await labCore(new AbortController().signal);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interrupted-'));
  await mkdir(join(folder, 'tmp'));
});
afterEach(async () => {
  // Where a test fails, its guest must not slow down those that follow.
  await run('pkill', ['-KILL', '-f', folder], { okCodes: [0, 1] });
  await rm(folder, { recursive: true });
});

/** Processes whose command line names this test's folder. */
async function processes(): Promise<string> {
  const { stdout } = await run('pgrep', ['-af', folder], { okCodes: [0, 1] });
  return stdout.toString();
}

async function nothingLeft(): Promise<void> {
  expect(await processes()).toBe('');
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
  expect((await run('losetup', ['--list', '--noheadings'])).stdout.toString()).not.toContain(folder);
  expect((await run('cat', ['/proc/self/mounts'])).stdout.toString()).not.toContain(folder);
}

const env = () => ({ XDG_STATE_HOME: join(folder, 'state'), TMPDIR: join(folder, 'tmp') });

test.each([
  ['as the machine starts', 1000],
  ['while the node boots', 8000],
])(
  'Ctrl-C during `lab up`, %s: no process, socket, loop device or mount is left',
  async (_, milliseconds) => {
    const started = startSextant(['lab', 'up', '--release', release], { env: env() });
    await started.said(/guests (are emulated|run under KVM)/);
    await new Promise((wait) => setTimeout(wait, milliseconds));
    started.interrupt();
    const { code, stderr } = await started.ended;
    expect(stderr).toContain('interrupted');
    expect(code).toBe(130);
    await nothingLeft();
    expect(await readdir(join(folder, 'state/sextant/lab')).catch(() => [])).toEqual([]);
  },
);

test('Ctrl-C during `lab test`', async () => {
  const started = startSextant(['lab', 'test', '--release', release, '--results', folder, 'late-network'], {
    env: env(),
  });
  await started.said(/guests (are emulated|run under KVM)/);
  await new Promise((wait) => setTimeout(wait, 5000));
  started.interrupt();
  expect((await started.ended).code).toBe(130);
  await nothingLeft();
});

test('Ctrl-C while kairos-init works in the root of a core image', async () => {
  const abort = new AbortController();
  const begun = join(folder, 'root', 'begun');
  const program = join(folder, 'kairos-init');
  // In the place of the real one, which takes minutes: it leaves a process of its own behind.
  await writeFile(program, '#!/bin/sh\nsleep 31557 &\ntouch /begun\nsleep 31557\n', { mode: 0o755 });
  const making = makeRoot(join(folder, 'root'), program, CORE, {
    cache: join(folder, 'cache'),
    progress: silent,
    signal: abort.signal,
  });
  const ended = expect(making).rejects.toThrow('interrupted');
  await Promise.race([
    making,
    expect.poll(() => existsSync(begun), { timeout: 600_000, interval: 200 }).toBe(true),
  ]);
  expect((await run('cat', ['/proc/self/mounts'])).stdout.toString()).not.toContain(folder);
  abort.abort(new SextantError('interrupted', 'interrupted'));
  await ended;
  await nothingLeft();
  expect((await run('pgrep', ['-f', '^sleep 31557'], { okCodes: [0, 1] })).stdout.toString()).toBe('');
});

test('Ctrl-C while the real installer works in its live guest', async () => {
  const abort = new AbortController();
  const notes: string[] = [];
  const progress: Progress = {
    ...silent,
    step: () => ({ ...silent.step(''), update: ({ note }) => void notes.push(note ?? '') }),
  };
  const context = { cache: cacheFolder(), progress, signal: abort.signal };
  const image = await coreImage(context);
  const installing = installDisk({ folder: image }, join(folder, 'disk.raw'), join(folder, 'work'), context);
  const ended = expect(installing).rejects.toThrow('interrupted');
  await Promise.race([
    installing,
    expect.poll(() => notes.join('\n'), { timeout: 600_000, interval: 200 }).toContain('manual-install'),
  ]);
  abort.abort(new SextantError('interrupted', 'interrupted'));
  await ended;
  await nothingLeft();
});
