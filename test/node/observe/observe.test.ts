import { symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256OfText } from '../../../src/node/digest.ts';
import { emptyRecords } from '../../../src/node/model/adopt.ts';
import { storeFile, storeLink } from '../../../src/node/model/paths.ts';
import type { Records } from '../../../src/node/model/types.ts';
import { observe } from '../../../src/node/observe/observe.ts';
import { markDamaged } from '../../../src/node/observe/store.ts';
import { cutShort, enable, fakeNode, stored } from '../fake-node.ts';
import { folder, put, type RootedHost } from '../rooted-host.ts';

const look = (
  host: RootedHost,
  records: Records | null = null,
  files: Parameters<typeof observe>[1]['files'] = [],
) => observe(host, { records, files, recordFile: 'whole' });

describe('the operating systems', () => {
  test('the one that runs is known by its file system and its release files', () => {
    const { os, osName, other, installed } = look(fakeNode());
    expect(os).toMatch(/^11111111-2222-4333-8444-aaaaaaaaaaaa-[0-9a-f]{64}$/);
    expect(osName).toBe('kairos-core-debian-13 v4.1.0');
    expect(other).toEqual({ slot: 'passive', os: os.replace('aaaaaaaaaaaa', 'bbbbbbbbbbbb') });
    expect(installed).toEqual([os, other?.os]);
  });

  test('the same image has the same identity, booted or not, whatever its slot', () => {
    const first = look(fakeNode());
    const second = look(fakeNode({ slot: 'passive' }));
    expect(second.os).toBe(first.other?.os);
    expect(second.other).toEqual({ slot: 'active', os: first.os });
  });

  test('in the initramfs stage COS_STATE is mounted for the time of a look', () => {
    const host = fakeNode({ initramfs: true });
    expect(look(host).other?.slot).toBe('passive');
    expect(host.ran.filter((line) => line.includes('mount'))).toEqual([
      'mount -o ro /dev/disk/by-label/COS_STATE /run/sextant/cos-state',
      'umount /run/sextant/cos-state',
    ]);
    expect(host.list('/run/sextant')).toEqual([]);
  });

  test('a slot without an image, and one whose image cannot be read', () => {
    expect(look(fakeNode({ passive: null }))).toMatchObject({ other: null, installed: [expect.anything()] });
    const host = fakeNode();
    put(host, '/state/cOS/passive.img', 'no file system');
    expect(look(host)).toMatchObject({ other: { slot: 'passive', os: null }, installed: null });
  });

  test('trusted boot keeps its root in memory: its release files say what it is', () => {
    const host = fakeNode();
    put(host, '/proc/self/mountinfo', '1 1 0:2 / / rw - rootfs rootfs rw\n');
    put(host, '/etc/kairos-release', 'KAIROS_NAME="kairos-core"\nKAIROS_RELEASE=v4.2.0\n');
    const { os, osName } = look(host);
    expect(os).toBe(`none-${sha256OfText(host, 'KAIROS_NAME="kairos-core"\nKAIROS_RELEASE=v4.2.0\n')}`);
    expect(osName).toBe('kairos-core v4.2.0');
  });

  test.each([
    [['recovery_mode'], 'recovery'],
    [['active_mode', 'in_ram_mode'], 'none'],
    [['autoreset_mode'], 'none'],
    [['live_mode'], 'none'],
    [['active_mode', 'uki_boot_mode'], 'active'],
    [['passive_mode'], 'passive'],
    [[], 'none'],
  ] as const)('sentinels %j are a boot of slot %s', (sentinels, slot) => {
    const host = fakeNode();
    host.unlink('/run/cos/active_mode');
    for (const name of sentinels) put(host, `/run/cos/${name}`, '1');
    expect(look(host).slot).toBe(slot);
  });
});

describe('the boot loader', () => {
  const block = (text: string) => `# GRUB Environment Block\n${text}${'#'.repeat(100)}`;

  test.each([
    ['', false],
    ['enable_boot_assessment=\nboot_assessment_tentative=\n', false],
    ['enable_boot_assessment=yes\n', true],
    ['boot_assessment_tentative=yes\n', true],
    ['other=a\\\\b\nboot_assessment_tentative=yes\n', true],
  ])('an environment of %j: assessing is %s', (text, assessing) => {
    const host = fakeNode();
    put(host, '/state/boot_assessment', block(text));
    expect(look(host).grub).toEqual({ assessing, upgradeFailure: false });
  });

  test('a file that is no environment block says nothing', () => {
    const host = fakeNode();
    put(host, '/state/boot_assessment', 'enable_boot_assessment=yes\n');
    expect(look(host).grub.assessing).toBe(false);
  });

  test('GRUB chose this slot because the other one failed', () => {
    const host = fakeNode({ slot: 'passive' });
    put(host, '/proc/cmdline', 'root=LABEL=COS_PASSIVE upgrade_failure\n');
    expect(look(host).grub.upgradeFailure).toBe(true);
  });
});

describe('the store', () => {
  const twoFiles = (host: RootedHost) =>
    [stored(host, 'first extension'), stored(host, 'second extension')] as const;

  test('files of full size are whole, one cut short and one that is missing are not', () => {
    const host = fakeNode();
    const [first, second] = twoFiles(host);
    const missing = { ...first, sha256: '0'.repeat(64) };
    expect(look(host, null, [first, second, missing]).whole).toEqual([first.sha256, second.sha256]);
    cutShort(host, storeFile(second));
    expect(look(host, null, [first, second, missing]).whole).toEqual([first.sha256]);
  });

  test('a file found to be damaged stays so until another one takes its place', () => {
    const host = fakeNode();
    const [first] = twoFiles(host);
    markDamaged(host, first);
    expect(look(host, null, [first]).whole).toEqual([]);
    host.unlink(storeFile(first));
    put(host, storeFile(first), 'first extension');
    utimesSync(join(host.root, storeFile(first)), 1, 1);
    expect(look(host, null, [first]).whole).toEqual([first.sha256]);
  });

  test('a link that immucore made is ours, and told from a direct one', () => {
    const host = fakeNode();
    const [first] = twoFiles(host);
    enable(host, 'active', first);
    const { links, enabled, foreign } = look(host);
    expect(links.active).toEqual({ 'provider-kairos.sysext.raw': storeLink(first) });
    expect(enabled).toEqual({ 'provider-kairos.sysext.raw': storeLink(first) });
    expect(foreign).toEqual([]);
  });

  test('extensions of others are named, wherever systemd-sysext finds them', () => {
    const host = fakeNode();
    enable(host, 'active', stored(host, 'ours'));
    put(host, '/var/lib/kairos/extensions/tools.sysext.raw', 'x');
    symlinkSync(
      '/var/lib/kairos/extensions/tools.sysext.raw',
      join(host.root, '/run/extensions/tools.sysext.raw'),
    );
    folder(host, '/var/lib/extensions/debug');
    put(host, '/etc/extensions/drivers.raw');
    put(host, '/etc/extensions/README');
    expect(look(host).foreign).toEqual(['debug', 'drivers', 'tools']);
  });
});

describe('the node', () => {
  test('the strict policy does without sidecars', () => {
    const host = fakeNode();
    expect(look(host).rootHashSidecar).toBe(true);
    put(host, '/run/systemd/system/systemd-sysext.service.d/zz-sextant-strict.conf');
    expect(look(host).rootHashSidecar).toBe(false);
  });

  test('a changed, added or renamed configuration file changes the digest; what Kubernetes writes does not', () => {
    const host = fakeNode();
    expect(look(host).configuration).toBeNull();
    const seen = new Set<string | null>();
    const changes: [string, string][] = [
      ['/etc/rancher/k3s/config.yaml', 'a: 1\n'],
      ['/etc/rancher/k3s/config.yaml', 'a: 2\n'],
      ['/etc/rancher/k3s/config.yaml.d/10.yaml', 'a: 2\n'],
      ['/etc/systemd/system/k3s.service.d/override.conf', '[Service]\n'],
    ];
    for (const [path, text] of changes) {
      put(host, path, text);
      seen.add(look(host).configuration);
    }
    expect(seen.size).toBe(changes.length);
    const before = look(host).configuration;
    put(host, '/etc/rancher/k3s/k3s.yaml', 'certificate');
    expect(look(host).configuration).toBe(before);
  });

  test.each([
    [[], 'none'],
    [['/var/lib/rancher/k3s/agent/x'], 'agent'],
    [['/var/lib/rancher/k3s/agent/x', '/var/lib/rancher/k3s/server/db/state.db'], 'single'],
    [['/var/lib/rancher/k3s/server/db/etcd/member'], 'several'],
    [['/var/lib/rancher/k3s/server/tls/ca.crt'], 'external'],
    [['/var/lib/k0s/kubelet/x'], 'agent'],
    [['/var/lib/k0s/pki/ca.key', '/var/lib/k0s/db/state.db'], 'single'],
    [['/var/lib/k0s/pki/ca.key', '/var/lib/k0s/etcd/member'], 'several'],
    [['/var/lib/k0s/pki/ca.key'], 'external'],
  ])('data %j is a datastore of kind %s', (paths, kind) => {
    const host = fakeNode();
    for (const path of paths) put(host, path);
    expect(look(host).datastore).toBe(kind);
  });

  test('an etcd folder of a cluster that was asked and has one member', () => {
    const host = fakeNode();
    put(host, '/var/lib/rancher/k3s/server/db/etcd/member');
    expect(look(host, emptyRecords('single')).datastore).toBe('single');
  });
});
