import { describe, expect, test } from 'vitest';
import { act } from '../../../src/node/effects/actions.ts';
import { restoreSnapshot } from '../../../src/node/effects/snapshot.ts';
import { enable, fakeNode, stored } from '../fake-node.ts';
import { put, type RootedHost } from '../rooted-host.ts';

/** grub-editenv(1): keeps the variables of one block in a plain file. */
function fakeGrubEditenv(host: RootedHost): void {
  host.programs.set('grub-editenv', ([path = '', verb, ...words]) => {
    const lines = (host.readText(path) ?? '').split('\n').filter((line) => /^\w+=/.test(line));
    const values = new Map(lines.map((line) => line.split('=') as [string, string]));
    for (const word of words) {
      const [name = '', value = ''] = word.split('=');
      if (verb === 'unset') values.delete(name);
      else values.set(name, value);
    }
    const text = [...values].map(([name, value]) => `${name}=${value}\n`).join('');
    put(host, path, `# GRUB Environment Block\n${text}${'#'.repeat(900)}`);
    return {};
  });
}

const withPrograms = (host: RootedHost, ...names: string[]) => {
  for (const name of names) host.programs.set(name, () => ({}));
  return host;
};

describe('reboot', () => {
  test('is an orderly one while the real root runs', () => {
    const host = withPrograms(fakeNode(), 'systemctl');
    act(host, { name: 'reboot', why: 'test' });
    expect(host.ran).toEqual(['systemctl reboot']);
  });

  /** logind of systemd 257 without polkit, while a lock is held: so many times. */
  const heldBack = (times: number) => {
    const host = fakeNode();
    let asked = 0;
    host.programs.set('systemctl', ([verb]) =>
      verb === 'reboot' && asked++ < times
        ? { code: 1, stderr: 'Call to Reboot failed: Access denied\n' }
        : {},
    );
    return host;
  };

  test('waits for an inhibitor lock, such as that of the stage reconcile, to be given back', () => {
    const host = heldBack(3);
    const before = host.clock;
    act(host, { name: 'reboot', why: 'test' });
    expect(host.ran).toEqual(Array(4).fill('systemctl reboot'));
    expect(host.clock - before).toBe(15);
    expect(host.said.err).toBe(
      'sextant: systemctl failed with exit code 1: Call to Reboot failed: Access denied; waiting up to 120 s for who holds it back (systemd-inhibit --list says who)\n',
    );
  });

  test('passes by one that is held for longer, still in order', () => {
    const host = heldBack(Number.POSITIVE_INFINITY);
    const before = host.clock;
    act(host, { name: 'reboot', why: 'test' });
    expect(host.ran.at(-1)).toBe('systemctl start --no-block --job-mode=replace-irreversibly reboot.target');
    expect(host.clock - before).toBe(120);
    expect(host.said.err).toContain('restarting in spite of it');
  });

  test('is immediate in the initramfs stage, which systemctl takes for a chroot', () => {
    const host = fakeNode({ initramfs: true });
    const environments: unknown[] = [];
    host.programs.set('systemctl', (_, { env }) => {
      environments.push(env?.SYSTEMD_IGNORE_CHROOT);
      return {};
    });
    act(host, { name: 'reboot', why: 'test' });
    expect(host.ran).toEqual(['systemctl reboot --force --force']);
    expect(environments).toEqual(['1']);
  });

  test('falls back to the kernel when systemctl fails there', () => {
    const host = fakeNode({ initramfs: true });
    host.programs.set('systemctl', () => ({ code: 1, stderr: 'no bus' }));
    const keys: (string | undefined)[] = [];
    host.programs.set('tee', (_, { input }) => {
      keys.push(input);
      return {};
    });
    act(host, { name: 'reboot', why: 'test' });
    expect(keys).toEqual(['u', 'b']);
  });
});

describe('boot-other-slot', () => {
  test.each([
    ['passive', 'fallback'],
    ['active', 'cos'],
  ] as const)('%s is the menu entry %s, for one boot, written where GRUB reads it', (slot, entry) => {
    const host = withPrograms(fakeNode(), 'systemctl', 'fsfreeze');
    fakeGrubEditenv(host);
    put(host, '/oem/grubenv', '# GRUB Environment Block\nsaved_entry=kept\n####');
    act(host, { name: 'boot-other-slot', slot, why: 'test' });
    expect(host.readText('/oem/grubenv')).toMatch(new RegExp(`saved_entry=kept\nnext_entry=${entry}\n#+$`));
    expect(host.ran).toEqual([
      `grub-editenv /oem/grubenv set next_entry=${entry}`,
      'fsfreeze --freeze /oem',
      'fsfreeze --unfreeze /oem',
      'systemctl reboot',
    ]);
  });

  test('a node that never had an environment block gets one', () => {
    const host = withPrograms(fakeNode(), 'systemctl', 'fsfreeze');
    fakeGrubEditenv(host);
    act(host, { name: 'boot-other-slot', slot: 'passive', why: 'test' });
    expect(host.ran[0]).toBe('grub-editenv /oem/grubenv create');
    expect(host.readText('/oem/grubenv')).toContain('next_entry=fallback\n');
  });

  test('with an encrypted COS_OEM it is the block on COS_STATE', () => {
    const host = withPrograms(fakeNode({ initramfs: true }), 'systemctl');
    fakeGrubEditenv(host);
    put(
      host,
      '/proc/self/mountinfo',
      '21 1 7:0 / / ro - ext4 /dev/loop0 ro\n24 21 253:0 / /oem rw - ext4 /dev/mapper/vda2 rw\n',
    );
    act(host, { name: 'boot-other-slot', slot: 'passive', why: 'test' });
    expect(host.readText('/state/grubenv')).toContain('next_entry=fallback\n');
    expect(host.stat('/oem/grubenv')).toBeUndefined();
    expect(host.ran.filter((line) => line.includes('mount'))).toEqual([
      'mount -o ro /dev/disk/by-label/COS_STATE /run/sextant/cos-state',
      'mount -o remount,rw /run/sextant/cos-state',
      'mount -o remount,ro /run/sextant/cos-state',
      'umount /run/sextant/cos-state',
    ]);
  });

  test('does not restart a node that would come back to the same slot', () => {
    const host = withPrograms(fakeNode(), 'systemctl', 'fsfreeze', 'grub-editenv');
    put(host, '/oem/grubenv', '# GRUB Environment Block\n####');
    const change = () => act(host, { name: 'boot-other-slot', slot: 'passive', why: 'test' });
    expect(change).toThrow('/oem/grubenv: grub-editenv did not set next_entry');
    expect(host.ran).not.toContain('systemctl reboot');
  });

  test('trusted boot has systemd-boot, which kairos-agent knows', () => {
    const host = withPrograms(fakeNode(), 'systemctl', 'kairos-agent');
    put(host, '/run/cos/uki_boot_mode', '1');
    act(host, { name: 'boot-other-slot', slot: 'passive', why: 'test' });
    expect(host.ran).toEqual(['kairos-agent bootentry --select passive', 'systemctl reboot']);
  });
});

describe('clear-boot-assessment', () => {
  test('takes both variables away and leaves COS_STATE as it was, also when that fails', () => {
    const host = fakeNode();
    fakeGrubEditenv(host);
    put(
      host,
      '/state/boot_assessment',
      '# GRUB Environment Block\nenable_boot_assessment=yes\nboot_assessment_tentative=yes\nother=1\n',
    );
    act(host, { name: 'clear-boot-assessment' });
    expect(host.readText('/state/boot_assessment')).toMatch(/^# GRUB Environment Block\nother=1\n#+$/);
    host.programs.set('grub-editenv', () => ({ code: 1, stderr: 'invalid environment block' }));
    expect(() => act(host, { name: 'clear-boot-assessment' })).toThrow(
      'grub-editenv failed with exit code 1: invalid environment block',
    );
    expect(host.ran.slice(-2)).toEqual([
      'mount -o remount,ro /run/sextant/cos-state',
      'umount /run/sextant/cos-state',
    ]);
  });
});

describe('restore-snapshot', () => {
  const database = '/var/lib/rancher/k3s/server/db';
  function withSnapshot(): RootedHost {
    const host = fakeNode();
    put(host, `${database}/state.db`, 'of the trial');
    put(host, '/opt/sextant/snapshots/2/data/state.db', 'from before');
    put(
      host,
      '/opt/sextant/snapshots/2/snapshot.json',
      JSON.stringify({ format: 1, folder: database, kubernetes: 'v1.33.1+k3s1', created: '' }),
    );
    host.programs.set('cp', (args) => {
      const [from = '', to = ''] = args.slice(-2);
      put(host, `${to}/state.db`, host.readText(`${from}/state.db`));
      return {};
    });
    return host;
  }
  const restored = (host: RootedHost) => {
    expect(host.readText(`${database}/state.db`)).toBe('from before');
    expect(host.list('/var/lib/rancher/k3s/server')).toEqual(['db']);
    expect(host.readText('/opt/sextant/snapshots/2/data/state.db')).toBe('from before');
  };

  test('puts the datastore back, as often as asked', () => {
    const host = withSnapshot();
    act(host, { name: 'restore-snapshot', snapshot: '2' });
    restored(host);
    act(host, { name: 'restore-snapshot', snapshot: '2' });
    restored(host);
  });

  test('cut short after any of its system calls, a second time does it', () => {
    const steps = ['rename', 'sync', 'unlink', 'rmdir', 'list', 'run'] as const;
    let cuts = 0;
    for (let cut = 1; ; cut++) {
      const host = withSnapshot();
      let left = cut;
      const whole = { ...host };
      for (const step of steps) {
        const call = whole[step] as (...args: unknown[]) => unknown;
        (host as unknown as Record<string, unknown>)[step] = (...args: unknown[]) => {
          if (left-- === 0) throw new Error('power cut');
          return call(...args);
        };
      }
      let ended = false;
      try {
        restoreSnapshot(host, '2');
        ended = true;
      } catch (error) {
        expect((error as Error).message).toContain('power cut');
        cuts++;
      }
      Object.assign(host, Object.fromEntries(steps.map((step) => [step, whole[step]])));
      restoreSnapshot(host, '2');
      restored(host);
      if (ended) break;
    }
    expect(cuts).toBeGreaterThan(8);
  });

  test('on a full disk what is lost in any case makes room', () => {
    const host = withSnapshot();
    const copy = host.programs.get('cp');
    host.programs.set('cp', (args, options) =>
      host.stat(database)
        ? { code: 1, stderr: 'cp: error writing: No space left on device' }
        : copy?.(args, options),
    );
    act(host, { name: 'restore-snapshot', snapshot: '2' });
    restored(host);
  });

  test('a snapshot that is missing, not whole or of elsewhere changes nothing', () => {
    const host = withSnapshot();
    const restore = (snapshot: string) => () => act(host, { name: 'restore-snapshot', snapshot });
    expect(restore('3')).toThrow('/opt/sextant/snapshots/3: no such snapshot');
    put(host, '/opt/sextant/snapshots/3/snapshot.json', '{');
    expect(restore('3')).toThrow('/opt/sextant/snapshots/3: this snapshot is not whole');
    put(
      host,
      '/opt/sextant/snapshots/2/snapshot.json',
      JSON.stringify({ format: 1, folder: '/var/lib/../../etc' }),
    );
    expect(restore('2')).toThrow('not whole');
    expect(host.readText(`${database}/state.db`)).toBe('of the trial');
  });
});

describe('Kubernetes of a running node', () => {
  function running(): RootedHost {
    const host = fakeNode();
    host.programs.set('systemctl', ([verb, ...units]) =>
      verb === 'is-active'
        ? {
            code: 3,
            stdout: units.map((unit) => (unit === 'k3s.service' ? 'active' : 'inactive')).join('\n'),
          }
        : {},
    );
    return host;
  }
  const changes = (host: RootedHost) => host.ran.filter((line) => !line.includes('is-active'));

  test('is stopped, merged and started again by switch-live', () => {
    const host = running();
    put(host, '/usr/lib/sextant/activate', '#!/bin/sh\n', 0o755);
    act(host, { name: 'switch-live' });
    expect(changes(host)).toEqual([
      'systemctl stop k3s.service',
      'systemctl daemon-reload',
      'systemctl reset-failed systemd-sysext.service',
      'systemctl restart systemd-sysext.service',
      'activate',
      'systemctl start --no-block k3s.service',
    ]);
  });

  test('is stopped and taken out of the merge by stop, and only ours is', () => {
    const host = running();
    enable(host, 'active', stored(host, 'ours'));
    put(host, '/run/extensions/provider-kairos.sysext.roothash', 'x');
    put(host, '/run/extensions/tools.raw', 'x');
    act(host, { name: 'stop' });
    expect(host.list('/run/extensions')).toEqual(['tools.raw']);
    expect(changes(host)[0]).toBe('systemctl stop k3s.service');
    expect(changes(host).at(-1)).toBe('systemctl restart systemd-sysext.service');
  });
});
