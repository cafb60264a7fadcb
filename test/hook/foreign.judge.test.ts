import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runHook } from '../../src/hook/run-hook.ts';
import { type Architecture, hostArchitecture } from '../../src/support/architecture.ts';
import { fileDigest } from '../../src/support/files.ts';
import { answersFrom, buildPlugin, hookRequest } from './hooks.ts';
import { makeRoot } from './root.ts';

const TARGET: Architecture = hostArchitecture() === 'arm64' ? 'amd64' : 'arm64';
const MACHINE = TARGET === 'arm64' ? 'aarch64' : 'x86_64';
const EMULATOR = [`/usr/bin/qemu-${MACHINE}-static`, `/usr/bin/qemu-${MACHINE}`].find((path) =>
  existsSync(path),
);
const PROGRAM = 'https://releases.test/k3s';

// `apt-get install qemu-user-static` would run these.
describe.skipIf(EMULATOR === undefined)(`a hook for ${TARGET} on another architecture`, () => {
  let folder: string;
  let setup: { root: string; plugin: string };
  let program: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sextant-foreign-'));
    const root = await makeRoot(join(folder, 'root'));
    setup = { root, plugin: await buildPlugin(join(folder, 'agent-provider-test'), TARGET) };
    program = setup.plugin;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const request = (behaviour: Record<string, unknown>, emulator = EMULATOR) =>
    hookRequest(setup, behaviour, {
      architecture: TARGET,
      answer: answersFrom({ [PROGRAM]: program }),
      ...(emulator === undefined ? {} : { emulator }),
    });

  it('sees the machine name of its architecture by any path, as the log declares', async () => {
    const asked = await request({ shell: 'uname -m; /bin/uname -sm; /usr/bin/uname -a; arch' });
    await runHook(asked);
    const log = await readFile(asked.logFile, 'utf8');
    expect(log).toContain(`data] ${MACHINE}\n[init.provider.install data] Linux ${MACHINE}\n`);
    expect(log).toContain(`[shim] /usr/bin/uname says ${MACHINE}`);
    expect(log).toContain(`[init.provider.install stderr] installing on ${TARGET}`);
  });

  // Programs laid down by the hook are run by info, as `k3s --version` is.
  it.each([[undefined], ['wrappers' as const]])('runs what it laid down (%s)', async (foreignMode) => {
    // The program is the plug-in itself: without an event on its stdin it ends with 3 and says why.
    const asked = await request({ get: PROGRAM, run: '/usr/bin/fetched' });
    await expect(runHook(asked, foreignMode === undefined ? {} : { foreignMode })).rejects.toThrow(
      'exit status 3: unexpected end of JSON input',
    );
    const log = await readFile(asked.logFile, 'utf8');
    const declared = {
      wrappers: '[shim] /usr/bin/fetched runs through the emulator, by a wrapper mounted over it',
      any: '[sandbox] programs of the target architecture run under the emulator',
    };
    expect(log).toContain(declared[foreignMode ?? 'any']);
  });

  it('lays down the program itself, not a wrapper', async () => {
    const { upper } = await runHook(await request({ get: PROGRAM }), { foreignMode: 'wrappers' });
    expect((await fileDigest(join(upper, 'usr/bin/fetched'))).sha256).toBe(
      (await fileDigest(program)).sha256,
    );
  });

  it('needs an emulator, and says how to get one', async () => {
    const { emulator: _, ...asked } = await request({});
    await expect(runHook(asked)).rejects.toMatchObject({
      code: 'tool',
      message: `the hook for ${TARGET} needs an emulator on this machine`,
    });
  });

  it('registers nothing on the machine itself', async () => {
    await runHook(await request({}));
    expect(existsSync('/proc/sys/fs/binfmt_misc/sextant')).toBe(false);
  });
});
