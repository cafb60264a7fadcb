import { existsSync } from 'node:fs';
import { mkdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActivationInput } from '../../src/activation/types.ts';
import { sha256 } from '../../src/support/files.ts';
import { certificatePem } from './example.ts';
import {
  type FakeNode,
  fakeImage,
  fakeNode,
  inputFor,
  NAME,
  nothingHalfWritten,
  ROOT_HASH,
} from './fake-node.ts';
import { type FaultyServer, faultyServer } from './faulty-server.ts';

const image = fakeImage(1, true);
const strict: Partial<ActivationInput> = { trust: { mode: 'strict', certificatePem } };
const AGENT_RESTART = 'restart --no-block kairos-agent.service';
let node: FakeNode;
let server: FaultyServer;

beforeEach(async () => {
  node = await fakeNode();
  server = await faultyServer(image, ['good']);
});
afterEach(async () => {
  await nothingHalfWritten(node);
  await server.stop();
  await node.remove();
});

/** A node on which the extension was installed on an earlier boot. */
async function installed(more: Partial<ActivationInput> = {}): Promise<void> {
  await node.activate(inputFor(image, server.url, more));
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
}

const sidecar = () => join(node.paths.enabled, `${NAME}.sysext.roothash`);
const strictPolicy = () => join(node.paths.units, 'systemd-sysext.service.d/zz-sextant-strict.conf');
const foreign = (name: string) => join(node.paths.store, 'common', name);

async function enableForeign(name: string, signed: boolean): Promise<void> {
  await mkdir(dirname(foreign(name)), { recursive: true });
  await writeFile(foreign(name), fakeImage(9, signed, 40_000));
}

describe('at the boots after the first', () => {
  test('the root hash is pinned before the merge, and nothing else needs doing', async () => {
    await installed();
    await node.reboot();
    expect(await readFile(sidecar(), 'utf8')).toBe(ROOT_HASH);
    expect(await node.verified()).toBe(true);
    const calls = await node.calls();
    const { code, said } = await node.command('run');
    expect([code, said]).toEqual([0, '']);
    expect(await node.calls()).toEqual(calls);
  });

  test('a merge that was killed at boot is done again', async () => {
    await installed();
    await node.set('merge-fails');
    await node.reboot();
    expect(node.merged()).toBe(false);
    await node.unset('merge-fails');
    expect((await node.command('run')).code).toBe(0);
    expect(await node.verified()).toBe(true);
    expect(server.ranges).toHaveLength(1);
  });

  test('a file of another activation keeps its own pin until ours is there', async () => {
    await installed();
    const newer = fakeImage(3, true);
    const other = 'e'.repeat(64);
    await node.activate({
      ...inputFor(newer, server.url),
      images: {
        amd64: { ...inputFor(newer, server.url).images.amd64, rootHash: other } as never,
      },
    });
    await node.reboot();
    expect(await readFile(sidecar(), 'utf8')).toBe(ROOT_HASH);
    expect(await node.verified()).toBe(true);
  });

  test('a file nobody pinned is named, and gets no root hash of another', async () => {
    await installed();
    await mkdir(join(node.paths.store, 'active'), { recursive: true });
    const found = join(node.paths.store, `${NAME}.sysext.raw`);
    await writeFile(found, fakeImage(4, false));
    await node.activate(inputFor(fakeImage(5, false), server.url));
    await rm(node.link);
    await symlink(found, node.link);
    expect(await node.reboot()).toContain('it is merged without verification');
    expect(existsSync(sidecar())).toBe(false);
    expect(node.merged()).toBe(true);
  });

  test('the passive slot merges what the active one does', async () => {
    await installed();
    await node.reboot('passive');
    expect(await readlink(join(node.paths.enabled, `${NAME}.sysext.raw`))).toBe(node.link);
    expect(await node.verified()).toBe(true);
  });

  test.each(['recovery', 'autoreset', 'live', 'uki_install'])(
    'in a %s boot nothing is touched',
    async (mode) => {
      await installed();
      await node.reboot();
      await rm(sidecar());
      await writeFile(join(node.paths.sentinels, `${mode}_mode`), '1');
      const calls = await node.calls();
      expect((await node.command('prepare')).code).toBe(0);
      expect((await node.command('start')).code).toBe(0);
      expect(existsSync(sidecar())).toBe(false);
      expect(await node.calls()).toEqual(calls);
    },
  );
});

describe('starting Kubernetes', () => {
  test('kairos-agent that has not started yet is left to the boot', async () => {
    await installed();
    expect(await node.calls()).not.toContain(AGENT_RESTART);
  });

  test('kairos-agent that started before the merge starts again after it', async () => {
    await node.set('agent-since', '12345678');
    await installed();
    const calls = await node.calls();
    expect(calls.at(-1)).toBe(AGENT_RESTART);
    expect(calls.indexOf('restart systemd-sysext.service')).toBeLessThan(calls.indexOf(AGENT_RESTART));
  });

  test('the extension’s own activation runs after a merge, and its failure is said', async () => {
    const witness = join(node.root, 'witness');
    await mkdir(dirname(node.paths.selfActivation), { recursive: true });
    await writeFile(node.paths.selfActivation, `#!/bin/sh\necho ran >>${witness}\nexit 1\n`, { mode: 0o755 });
    await node.activate(inputFor(image, server.url));
    const { code, said } = await node.command('run');
    expect(code).toBe(0);
    expect(await readFile(witness, 'utf8')).toBe('ran\n');
    expect(said).toContain(`${node.paths.selfActivation} failed`);
  });

  test('a running Kubernetes is not merged away: the new file waits for the next boot', async () => {
    await installed();
    await node.reboot();
    const newer = fakeImage(3, true);
    const newServer = await faultyServer(newer, ['good']);
    await node.activate(inputFor(newer, newServer.url));
    await node.set('kubernetes-runs');
    const before = (await node.calls()).filter((call) => call.includes('systemd-sysext'));
    const { code, said } = await node.command('run');
    await newServer.stop();
    expect(code).toBe(0);
    expect(said).toContain('takes its place at the next boot');
    expect((await node.calls()).filter((call) => call.includes('systemd-sysext'))).toEqual(before);
    expect(existsSync(node.file(image))).toBe(true);
    await node.reboot();
    expect((await node.command('run')).said).toBe('');
    expect(existsSync(node.file(newer))).toBe(true);
  });
});

describe('verified means verified', () => {
  test('an extension that merges without dm-verity is unmerged, disabled and refused for good', async () => {
    await node.set('no-verity');
    await node.activate(inputFor(image, server.url));
    const { code, said } = await node.command('run');
    expect(code).toBe(3);
    expect(said).toContain('REFUSED');
    expect(node.merged()).toBe(false);
    expect(existsSync(node.link)).toBe(false);
    expect(await readFile(join(node.paths.runtime, 'state'), 'utf8')).toMatch(/^refused REFUSED/);
  });

  test('a damaged extension is named with its file and what to do; another one too', async () => {
    await installed();
    await node.set(
      'dmsetup',
      '#!/bin/sh\ncase $1:$2 in status:ours | status:other) echo "0 99 verity C" ;; status:*) echo "0 99 verity V" ;; esac\n',
    );
    for (const [name, mapped, backing] of [
      ['dm-0', 'ours', node.file(image).replace(/^.*(?=\/extensions\/)/, '')],
      ['dm-1', 'other', '/var/lib/extensions/other.raw'],
      ['dm-2', 'sound', '/var/lib/extensions/sound.raw'],
    ] as const) {
      const device = join(node.paths.blockDevices, name);
      await mkdir(join(device, 'slaves/loop0/loop'), { recursive: true });
      await mkdir(join(device, 'dm'), { recursive: true });
      await writeFile(join(device, 'dm/uuid'), 'CRYPT-VERITY-0-x\n');
      await writeFile(join(device, 'dm/name'), `${mapped}\n`);
      await writeFile(join(device, 'slaves/loop0/loop/backing_file'), `${backing}\n`);
    }
    const { code, said } = await node.command('damaged');
    expect(code).toBe(1);
    expect(said).toContain(
      `the extension provider-kairos is damaged on the disk: ${node.file(image)} holds bytes`,
    );
    expect(said).toContain(`rm -r ${dirname(node.file(image))} && reboot`);
    expect(said).toContain('the extension other.raw is damaged');
    expect(said).not.toContain('sound');
    expect(await node.command('damaged')).toMatchObject({ code: 1, said: '' });
    expect((await node.command('status')).said).toContain('damaged: ');
  });

  test('without dmsetup a verity device on our file is looked for in /sys', async () => {
    await installed();
    await node.set('dmsetup', '#!/bin/sh\nexit 127\n');
    expect((await node.command('status')).said).toContain('dm-verity: not in use');
    const device = join(node.paths.blockDevices, 'dm-0');
    await mkdir(join(device, 'dm'), { recursive: true });
    await mkdir(join(device, 'slaves/loop0/loop'), { recursive: true });
    await writeFile(join(device, 'dm/uuid'), 'CRYPT-VERITY-0-loop0p1-verity\n');
    await writeFile(join(device, 'slaves/loop0/loop/backing_file'), `${node.file(image)}\n`);
    expect((await node.command('status')).said).toContain('dm-verity: in use');
  });

  test('a merge that fails is tried again and leaves the other extensions merged', async () => {
    await enableForeign('other.sysext.raw', false);
    await node.activate(inputFor(image, server.url));
    await node.reboot();
    await node.set('merge-fails');
    const { code } = await node.command('once');
    expect(code).toBe(1);
    expect(existsSync(join(node.paths.enabled, `${NAME}.sysext.raw`))).toBe(false);
    expect((await node.calls()).at(-1)).toBe('restart systemd-sysext.service');
    await node.unset('merge-fails');
    expect((await node.command('run')).code).toBe(0);
    expect(await node.verified()).toBe(true);
  });
});

describe('the strict policy', () => {
  test('is in force before the merge, without a root hash beside the link', async () => {
    await installed(strict);
    await node.reboot();
    expect(await readFile(strictPolicy(), 'utf8')).toContain(
      '--image-policy="root=signed+absent:usr=signed+absent"',
    );
    expect(existsSync(sidecar())).toBe(false);
    expect(await node.verified()).toBe(true);
  });

  test('stays in force beside a signed extension of others', async () => {
    await enableForeign('other.sysext.raw', true);
    await installed(strict);
    expect(await node.reboot()).toBe('');
    expect(existsSync(strictPolicy())).toBe(true);
  });

  test('gives way to an unsigned extension of others, naming it, and the root hash is pinned', async () => {
    await installed(strict);
    await enableForeign('other.sysext.raw', false);
    await mkdir(dirname(node.paths.kernelLog), { recursive: true });
    const said = await node.reboot();
    expect(said).toContain('NOT in force, because it would refuse: other.sysext.raw');
    expect(await readFile(node.paths.kernelLog, 'utf8')).toMatch(/^<3>sextant: WARNING/);
    expect(existsSync(strictPolicy())).toBe(false);
    expect(await readFile(sidecar(), 'utf8')).toBe(ROOT_HASH);
    expect(await node.verified()).toBe(true);
  });

  test('gives way to an extension signed with an unknown key, once the merge has failed', async () => {
    await enableForeign('other.sysext.raw', true);
    await node.set('foreign-key', 'other.sysext.raw');
    await node.activate(inputFor(image, server.url, strict));
    await node.reboot();
    const { code, said } = await node.command('run');
    expect(code, said).toBe(0);
    expect(said).toContain('it would refuse: other.sysext.raw');
    expect(await node.verified()).toBe(true);
  });

  test('with the certificate of the firmware alone is as strict, and is verified', async () => {
    await installed({ trust: { mode: 'strict' } });
    await node.reboot();
    expect(existsSync(strictPolicy())).toBe(true);
    expect(existsSync(sidecar())).toBe(false);
    expect(await node.verified()).toBe(true);
  });

  test('asks for the firmware’s db where nothing else could vouch for the extension, and runs nothing', async () => {
    await node.set('foreign-key', `${NAME}.sysext.raw`);
    await node.activate(inputFor(image, server.url, { trust: { mode: 'strict' } }));
    await node.reboot();
    const { code } = await node.command('once');
    expect([code, node.merged()]).toEqual([1, false]);
    const running = node.command('run');
    await expect
      .poll(() => readFile(join(node.paths.runtime, 'state'), 'utf8').catch(() => ''), { timeout: 60_000 })
      .toMatch(/(waiting|working) [1-9]/);
    await node.unset('foreign-key');
    expect((await running).said).toContain(
      `does not merge ${NAME}; see: journalctl -b -u systemd-sysext; is its signer's certificate in the firmware's db?; next try in`,
    );
    expect(await node.verified()).toBe(true);
  });

  test('with a certificate of its own does not ask for the firmware’s', async () => {
    await node.set('foreign-key', `${NAME}.sysext.raw`);
    await node.activate(inputFor(image, server.url, strict));
    await node.reboot();
    const running = node.command('run');
    await expect
      .poll(() => readFile(join(node.paths.runtime, 'state'), 'utf8').catch(() => ''), { timeout: 60_000 })
      .toMatch(/(waiting|working) [1-9]/);
    await node.unset('foreign-key');
    const { said } = await running;
    expect(said).toContain('does not merge');
    expect(said).not.toContain('firmware');
  });

  test('is not blamed on others when the extension itself is at fault', async () => {
    await enableForeign('other.sysext.raw', true);
    await node.activate(inputFor(image, server.url, strict));
    await node.reboot();
    await node.set('merge-fails');
    expect((await node.command('once')).code).toBe(1);
    expect(existsSync(join(node.paths.runtime, 'strict-failed'))).toBe(false);
    await node.unset('merge-fails');
  });
});

describe('once sextant-node has records', () => {
  beforeEach(async () => {
    await installed();
    await mkdir(node.paths.records, { recursive: true });
    await writeFile(join(node.paths.records, '1.json'), '{}');
  });

  test('they decide: no pin, no link, no download', async () => {
    await node.activate(inputFor(fakeImage(7, false), server.url));
    await node.reboot();
    expect(existsSync(sidecar())).toBe(false);
    expect((await node.command('run')).said).toBe('');
    expect(server.ranges).toHaveLength(1);
    expect(existsSync(node.file(image))).toBe(true);
    expect((await node.command('status')).said).toContain(
      `decides: sextant-node; another release in this file goes on trial once; see: ${dirname(node.paths.records)}/bin/sextant-node status`,
    );
  });

  test('they are told what the file names, without its address on a command line, until it is settled', async () => {
    const other = fakeImage(7, false);
    await node.activate(inputFor(other, 'http://user:secret@h.invalid/x.raw'));
    await node.reboot();
    const program = join(dirname(node.paths.records), 'bin', 'sextant-node');
    await mkdir(dirname(program), { recursive: true });
    // Not now for the network, for what came, for another one at work; then settled.
    await writeFile(
      program,
      `#!/bin/sh
echo "$*" >>"$STUB/followed"
env | grep ^SEXTANT_ | sort >"$STUB/wish"
case $(wc -l <"$STUB/followed") in 1) exit 6 ;; 2) exit 4 ;; 3) exit 9 ;; *) exit 8 ;; esac
`,
      { mode: 0o755 },
    );
    const { code, said } = await node.command('run');
    expect(code).toBe(0);
    expect(said.match(/next try in 0 s/g)).toHaveLength(2);
    const stub = (name: string) => readFile(join(node.root, 'stub', name), 'utf8');
    expect(await stub('followed')).toBe('follow\n'.repeat(4));
    expect(await stub('wish')).toBe(`SEXTANT_NAME=${NAME}
SEXTANT_ROOT_HASH=${ROOT_HASH}
SEXTANT_SHA256=${sha256(other)}
SEXTANT_SIZE=${other.length}
SEXTANT_URL=http://user:secret@h.invalid/x.raw
SEXTANT_VERSION=${inputFor(other, '').kubernetesVersion}
`);
    expect(await readFile(join(node.paths.runtime, 'state'), 'utf8')).toBe('ready\n');
  });

  test('a merge that is missing is still done', async () => {
    await node.set('merge-fails');
    await node.reboot();
    await node.unset('merge-fails');
    await node.set('agent-since', '1');
    expect((await node.command('run')).code).toBe(0);
    expect(node.merged()).toBe(true);
    // Held to the root hash that is kept beside the file, where sextant-node has not pinned it.
    expect(await node.verified()).toBe(true);
    expect((await node.calls()).at(-1)).toBe(AGENT_RESTART);
  });
});

describe('the network stage', () => {
  const state = (text: string) => writeFile(join(node.paths.runtime, 'state'), text);

  test('starts the unit and waits until the extension is ready', async () => {
    await node.activate(inputFor(image, server.url));
    await mkdir(node.paths.runtime, { recursive: true });
    await state('working 0');
    const started = node.command('start');
    await expect.poll(node.calls).toContain('start --no-block sextant-activate.service');
    await state('ready');
    expect(await started).toMatchObject({ code: 0, said: '' });
  });

  test('lets the boot go on when there is no network', async () => {
    await node.activate(inputFor(image, server.url));
    await mkdir(node.paths.runtime, { recursive: true });
    await state('waiting 1');
    await mkdir(dirname(node.paths.kernelLog), { recursive: true });
    const { code, said } = await node.command('start');
    expect(code).toBe(0);
    expect(said).toContain('boot goes on without provider-kairos');
    // What a stage's commands print, the agent keeps to itself.
    const kernelLog = await readFile(node.paths.kernelLog, 'utf8');
    expect(kernelLog).toMatch(/^<3>sextant: boot goes on without provider-kairos/);
  });

  test('lets the boot go on when a download takes longer than it may', async () => {
    await node.activate(inputFor(image, server.url, { waitSeconds: 1 }));
    await mkdir(node.paths.runtime, { recursive: true });
    await state('working 0');
    expect((await node.command('start')).said).toContain('the download goes on too');
  });
});
