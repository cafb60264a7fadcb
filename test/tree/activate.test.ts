import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../src/support/subprocess.ts';
import type { ActivationContent } from '../../src/tree/activate-script.ts';
import { type FakeNode, fakeNode } from './fake-node.ts';
import { scratch } from './fixtures.ts';

let root: string;
let node: FakeNode;
beforeEach(async () => {
  root = await scratch();
  node = await fakeNode(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const again = async (content: Partial<ActivationContent>) => {
  node = await fakeNode(root, content);
};
const link = () => join(node.paths.providers, 'agent-provider-kairos');
const enable = async (unit: string, by = 'multi-user.target') => {
  await mkdir(join(node.paths.units, `${by}.wants`), { recursive: true });
  await symlink(`/usr/lib/systemd/system/${unit}`, join(node.paths.units, `${by}.wants`, unit));
};

describe('the activation script', () => {
  it.each(['dash', 'bash'])('is a script for %s', async (shell) => {
    await run(shell, ['-n', join(root, 'activate')]);
  });

  it('links the plug-in, and a second time changes nothing and says nothing', async () => {
    expect((await node.activate()).stdout).toContain('linked');
    expect(await readlink(link())).toBe(node.content.plugin);
    const { ino } = await lstat(link());
    const second = await node.activate();
    expect(second).toEqual({ stdout: '', stderr: '' });
    expect((await lstat(link())).ino).toBe(ino);
    expect(await readdir(node.paths.providers)).toEqual(['agent-provider-kairos']);
  });

  it('replaces a link to an older place', async () => {
    await mkdir(node.paths.providers, { recursive: true });
    await symlink('/usr/local/lib/old/agent-provider-kairos', link());
    await node.activate();
    expect(await readlink(link())).toBe(node.content.plugin);
  });

  it('replaces a link to a folder instead of writing into the folder', async () => {
    await mkdir(node.paths.providers, { recursive: true });
    await mkdir(join(root, 'folder'));
    await symlink(join(root, 'folder'), link());
    await node.activate();
    expect(await readlink(link())).toBe(node.content.plugin);
    expect(await readdir(join(root, 'folder'))).toEqual([]);
  });

  it("leaves someone's own plug-in alone and says so on the console", async () => {
    await mkdir(node.paths.providers, { recursive: true });
    await writeFile(link(), 'mine');
    const { stderr } = await node.activate();
    expect(await readFile(link(), 'utf8')).toBe('mine');
    expect(stderr).toContain('is not a link and stays as it is');
    expect(await node.console()).toContain('is not a link and stays as it is');
  });

  it('makes no link where the image has the plug-in itself', async () => {
    await mkdir(node.paths.imageProviders, { recursive: true });
    await writeFile(join(node.paths.imageProviders, 'agent-provider-kairos'), '');
    expect((await node.activate()).stdout).toContain('the image has a plug-in of its own');
    expect(existsSync(link())).toBe(false);
  });

  it('says so when the extension is not whole, and still ends well', async () => {
    await rm(node.content.plugin);
    expect((await node.activate()).stderr).toContain('is not there');
    expect(existsSync(link())).toBe(false);
  });

  it('prepares accounts, modules, settings and files before anything else', async () => {
    await again({
      sysusers: ['u.conf'],
      modulesLoad: ['m.conf'],
      sysctl: ['s.conf'],
      tmpfiles: ['provider-kairos.conf'],
    });
    await node.activate();
    expect(await node.calls()).toEqual([
      'systemd-sysusers u.conf',
      'systemd-modules-load m.conf',
      'systemd-sysctl s.conf',
      'systemd-tmpfiles --create provider-kairos.conf',
    ]);
  });

  it('reports a preparation that fails and goes on', async () => {
    await again({ tmpfiles: ['provider-kairos.conf'] });
    await node.fail('systemd-tmpfiles');
    expect((await node.activate()).stderr).toContain(
      'systemd-tmpfiles --create provider-kairos.conf failed with exit code 7: no systemd-tmpfiles today',
    );
    expect(await readlink(link())).toBe(node.content.plugin);
  });
});

describe('the cloud-config of the extension', () => {
  const config = () => join(node.paths.cloudConfig, '10-x.yaml');
  const asRoot = process.getuid?.() === 0;

  it('is not looked for where there is none', async () => {
    await node.activate();
    expect(await node.calls()).toEqual([]);
  });

  it.skipIf(!asRoot)(
    'runs once for each content (files must be owned by root, so this test runs as root)',
    async () => {
      await writeFile(config(), 'stages: {}', { mode: 0o644 });
      await node.activate();
      await node.activate();
      const call = `kairos-agent run-stage --cloud-init-paths ${node.paths.cloudConfig} sextant`;
      expect(await node.calls()).toEqual([call]);
      await again({ contentId: 'another' });
      await node.activate();
      expect(await node.calls()).toEqual([call]);
    },
  );

  it.skipIf(!asRoot)('runs again after it failed (as root)', async () => {
    await writeFile(config(), 'stages: {}', { mode: 0o644 });
    await node.fail('kairos-agent');
    expect((await node.activate()).stderr).toContain('failed with exit code 7');
    await rm(join(root, 'fail-kairos-agent'));
    await node.activate();
    expect(await node.calls()).toHaveLength(2);
  });

  it('is not used when others than root may write it', async () => {
    await writeFile(config(), 'stages: {}');
    await chmod(config(), 0o664);
    expect((await node.activate()).stderr).toContain('only root may write');
    expect(await node.calls()).toEqual([]);
  });

  it('is not used when it is a link', async () => {
    await symlink('/etc/hostname', config());
    expect((await node.activate()).stderr).toContain('only root may write');
    expect(await node.calls()).toEqual([]);
  });
});

describe('called by the activation file’s script', () => {
  it('does not wait for the lock that its caller holds', async () => {
    await mkdir(node.paths.run, { recursive: true });
    const held = join(node.paths.run, 'lock'); // src/activation/script-run.ts
    const holder = spawn('flock', [held, 'sleep', '300'], { stdio: 'ignore', detached: true });
    try {
      const isHeld = async () => (await run('flock', ['-n', held, 'true'], { okCodes: [0, 1] })).code === 1;
      while (!(await isHeld())) await new Promise((resolve) => setTimeout(resolve, 10));
      const began = Date.now();
      await node.activate();
      // Waiting for that lock takes it a minute, after which it goes on without.
      expect(Date.now() - began).toBeLessThan(50_000);
    } finally {
      process.kill(-(holder.pid ?? 0), 'SIGKILL');
    }
  }, 90_000);
});

describe('units of the extension that are enabled on the node', () => {
  beforeEach(() => node.state('multi-user.target', { Job: 17 }));

  it('are started when the boot wants them and PID 1 did not know them', async () => {
    await enable('k3s.service');
    await node.state('k3s.service', {});
    await node.activate();
    expect(await node.calls()).toEqual(['systemctl start --no-block k3s.service']);
  });

  it('are started as instances of a template', async () => {
    await enable('edgevpn@kairos.service');
    await node.state('edgevpn@kairos.service', {});
    await node.activate();
    expect(await node.calls()).toEqual(['systemctl start --no-block edgevpn@kairos.service']);
  });

  it.each([
    ['runs already', { ActiveState: 'active', InactiveExitTimestampMonotonic: 5 }],
    ['is on its way', { ActiveState: 'activating', InactiveExitTimestampMonotonic: 5 }],
    ['was stopped by someone', { InactiveExitTimestampMonotonic: 123 }],
    ['failed', { ActiveState: 'failed', InactiveExitTimestampMonotonic: 5 }],
    ['is masked', { LoadState: 'masked' }],
  ])('are left alone when one %s', async (_why, state) => {
    await enable('k3s.service');
    await node.state('k3s.service', state);
    await node.activate();
    expect(await node.calls()).toEqual([]);
  });

  it('are left alone when what wants them is not wanted in this boot', async () => {
    await enable('k3s.service', 'rescue.target');
    await node.state('k3s.service', {});
    await node.activate();
    expect(await node.calls()).toEqual([]);
  });

  it('are started on a running system too', async () => {
    await node.state('multi-user.target', { ActiveState: 'active', InactiveExitTimestampMonotonic: 9 });
    await enable('k3s-agent.service');
    await node.state('k3s-agent.service', {});
    await node.activate();
    expect(await node.calls()).toEqual(['systemctl start --no-block k3s-agent.service']);
  });

  it('are not confused with units of the node', async () => {
    await enable('ssh.service');
    await node.state('ssh.service', {});
    await node.activate();
    expect(await node.calls()).toEqual([]);
  });

  it('may be enabled by the extension itself', async () => {
    await again({ enabled: [{ by: 'multi-user.target', unit: 'k3s.service' }] });
    await node.state('k3s.service', {});
    await node.activate();
    expect(await node.calls()).toEqual(['systemctl start --no-block k3s.service']);
  });

  it('that cannot be started are a line on the console, not a failure', async () => {
    await enable('k3s.service');
    await node.state('k3s.service', {});
    await node.fail('systemctl');
    expect((await node.activate()).stderr).toContain('systemctl start --no-block k3s.service failed');
    expect(await node.console()).toContain('systemctl start --no-block k3s.service failed');
  });
});

describe('sextant-node', () => {
  const carried = async () => {
    await mkdir(join(root, 'usr/lib/sextant'), { recursive: true });
    await writeFile(node.paths.nodeProgram, '#!/bin/sh\n', { mode: 0o755 });
    await mkdir(dirname(node.paths.settings), { recursive: true });
    await writeFile(node.paths.settings, '{"tries": 2, "adopt": true}');
  };
  const adoptions = async () => (await node.calls()).filter((call) => call.startsWith('systemd-run'));

  it('takes over a node that asks for it and has no record, beside the boot and after all else', async () => {
    await carried();
    const { stdout, stderr } = await node.activate();
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n').at(-1)).toContain('sextant-node takes this node over');
    expect(await adoptions()).toEqual([
      `systemd-run --no-block --collect --quiet --unit=sextant-adopt --description=Take this node over for sextant-node ${node.paths.nodeProgram} adopt --auto`,
    ]);
  });

  it('is left alone where it is not asked, has a record, is at it already, and where the extension has none', async () => {
    await node.activate();
    expect(await adoptions()).toEqual([]);
    await carried();
    await writeFile(node.paths.settings, '{"tries": 2, "adopt": false}');
    await node.activate();
    expect(await adoptions()).toEqual([]);
    await carried();
    await node.state('sextant-adopt.service', { ActiveState: 'activating' });
    await node.activate();
    expect(await adoptions()).toEqual([]);
    await node.state('sextant-adopt.service', { ActiveState: 'inactive' });
    await mkdir(node.paths.records, { recursive: true });
    await writeFile(join(node.paths.records, '.generations.new'), 'begun');
    await node.activate();
    expect(await adoptions()).toHaveLength(1);
    await writeFile(join(node.paths.records, 'generations.json'), '{}');
    await node.activate();
    expect(await adoptions()).toEqual([]);
  });

  it('that cannot be started is said, and never fails the activation', async () => {
    await carried();
    await node.fail('systemd-run');
    expect((await node.activate()).stderr).toContain('failed with exit code 7: no systemd-run today');
  });
});
