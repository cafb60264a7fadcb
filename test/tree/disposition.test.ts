import { describe, expect, it } from 'vitest';
import { disposition, type NodeKind } from '../../src/tree/disposition.ts';
import { HIERARCHIES } from '../../src/tree/rules.ts';

const goes = (path: string, kind: NodeKind = 'file') => {
  const decision = disposition(path, kind, 'provider-kairos');
  const to = 'path' in decision && decision.path !== path ? ` ${decision.path}` : '';
  return `${decision.outcome}${to}`;
};

describe('where a path goes', () => {
  it.each([
    ['/usr/bin/k3s', 'delivered'],
    ['/usr/sbin/runc', 'delivered'],
    ['/usr/lib/cni/bridge', 'delivered'],
    ['/usr/lib/systemd/system/containerd.service', 'delivered'],
    ['/usr/share/bash-completion/completions/k3s', 'delivered'],
    ['/usr/include/seccomp.h', 'delivered'],
    ['/usr/src/x/y', 'delivered'],
    ['/usr/local/bin/agent-provider-kairos', 'delivered'],
    ['/usr/local/share/x', 'delivered'],
    ['/usr/share/sextant/cloud-config.d/10-x.yaml', 'delivered'],
    ['/etc/systemd/system/k3s.service', 'relocated /usr/lib/systemd/system/k3s.service'],
    ['/etc/systemd/system/a@.service', 'relocated /usr/lib/systemd/system/a@.service'],
    ['/etc/systemd/system/a.socket', 'relocated /usr/lib/systemd/system/a.socket'],
    ['/etc/systemd/system/a.timer', 'relocated /usr/lib/systemd/system/a.timer'],
    ['/etc/systemd/system/usr-x\\x2dy.mount', 'relocated /usr/lib/systemd/system/usr-x\\x2dy.mount'],
    ['/etc/systemd/system/k3s.service.d/10.conf', 'relocated /usr/lib/systemd/system/k3s.service.d/10.conf'],
    [
      '/etc/systemd/system/k3s.service.d/notes.txt',
      'factory /usr/share/factory/etc/systemd/system/k3s.service.d/notes.txt',
    ],
    ['/etc/systemd/system/k3s.service.env', 'factory /usr/share/factory/etc/systemd/system/k3s.service.env'],
    ['/etc/sysctl.d/90-k.conf', 'relocated /usr/lib/sysctl.d/90-k.conf'],
    ['/etc/modules-load.d/k.conf', 'relocated /usr/lib/modules-load.d/k.conf'],
    ['/etc/udev/rules.d/9.rules', 'relocated /usr/lib/udev/rules.d/9.rules'],
    ['/etc/rancher/k3s/config.yaml', 'factory /usr/share/factory/etc/rancher/k3s/config.yaml'],
    ['/etc/logrotate.d/k3s', 'factory /usr/share/factory/etc/logrotate.d/k3s'],
    ['/tmp/installer.sh', 'dropped'],
    ['/run/lock/x', 'dropped'],
    ['/var/tmp/x', 'dropped'],
    ['/var/cache/ldconfig/aux-cache', 'dropped'],
    ['/var/log/dpkg.log', 'dropped'],
    ['/root/.cache/x', 'dropped'],
    ['/etc/ld.so.cache', 'dropped'],
    ['/etc/resolv.conf', 'dropped'],
    ['/etc/passwd', 'refused'],
    ['/usr/lib/os-release', 'refused'],
    ['/usr/lib/extension-release.d/extension-release.other', 'refused'],
    ['/usr/lib/sextant/activate', 'refused'],
    ['/usr/share/sextant/manifest.json', 'refused'],
    ['/usr/libexec/x', 'refused'],
    ['/usr/games/x', 'refused'],
    ['/usr/lib64/x.so', 'refused'],
    ['/usr/local/system/providers/agent-provider-kairos', 'refused'],
    ['/usr/local/etc/x', 'refused'],
    ['/var/lib/rancher/k3s/x', 'refused'],
    ['/opt/cni/bin/bridge', 'refused'],
    ['/srv/x', 'refused'],
    ['/home/kairos/.ssh/authorized_keys', 'refused'],
    ['/root/.profile', 'refused'],
    ['/boot/vmlinuz', 'refused'],
    ['/bin/sh', 'refused'],
    ['/x', 'refused'],
    ['/usr/binary', 'refused'],
    ['/etcetera', 'refused'],
  ])('%s is %s', (path, expected) => {
    expect(goes(path)).toBe(expected);
  });

  it('turns enablement links into drop-ins, wherever the unit folder', () => {
    const dropIn = '/usr/lib/systemd/system/multi-user.target.d/10-provider-kairos-k3s.service.conf';
    for (const folder of ['/etc', '/usr/lib', '/usr/local/lib']) {
      expect(goes(`${folder}/systemd/system/multi-user.target.wants/k3s.service`, 'link')).toBe(
        `enablement ${dropIn}`,
      );
    }
    expect(goes('/etc/systemd/system/multi-user.target.wants/k3s.service', 'file')).toBe('refused');
  });

  it('keeps hierarchies apart from names that only begin like them', () => {
    for (const hierarchy of HIERARCHIES) {
      expect(goes(`${hierarchy}/x`), hierarchy).toBe('delivered');
      expect(goes(`${hierarchy}x/y`), hierarchy).toBe('refused');
    }
  });

  it('says for every refusal what to do', () => {
    for (const path of [
      '/opt/x',
      '/var/lib/x',
      '/usr/libexec/x',
      '/home/x',
      '/boot/x',
      '/etc/passwd',
      '/x',
    ]) {
      const decision = disposition(path, 'file', 'x');
      expect(decision).toMatchObject({ outcome: 'refused', advice: expect.stringMatching(/\w{3}/) });
    }
  });
});
