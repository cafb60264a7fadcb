import { createHash } from 'node:crypto';
import { cpSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { storeFile, storeLink } from '../../src/node/model/paths.ts';
import type { ExtensionFile, UsualSlot } from '../../src/node/model/types.ts';
import { osImage } from './observe/images.ts';
import { folder, put, type RootedHost, rootedHost } from './rooted-host.ts';

/** What is different about a node; the rest is a node with two slots that booted the active one and runs Kubernetes nowhere yet. */
export interface FakeNode {
  readonly slot?: UsualSlot;
  /** Last digits of the UUIDs of the images in the slots; null for no image. */
  readonly active?: string;
  readonly passive?: string | null;
  readonly initramfs?: boolean;
}

const EMPTY_ENVIRONMENT = '# GRUB Environment Block\n';

/** A node in a temporary folder that is removed with the test. */
export function fakeNode(node: FakeNode = {}): RootedHost {
  const host = rootedHost();
  onTestFinished(() => rmSync(host.root, { recursive: true, force: true }));
  furnish(host, node);
  mountable(host);
  return host;
}

/** A copy of a node as it is now, turned off. */
export function copyOf(root: string): RootedHost {
  const host = rootedHost();
  onTestFinished(() => rmSync(host.root, { recursive: true, force: true }));
  cpSync(root, host.root, { recursive: true, verbatimSymlinks: true });
  mountable(host);
  return host;
}

function furnish(host: RootedHost, node: FakeNode): void {
  const { slot = 'active', active = 'aaaaaaaaaaaa', passive = 'bbbbbbbbbbbb', initramfs = false } = node;
  put(host, `/run/cos/${slot}_mode`, '1');
  newBoot(host, 'boot-1');
  put(host, '/proc/cmdline', `root=LABEL=COS_${slot.toUpperCase()} cos-img/filename=/cOS/${slot}.img\n`);
  put(
    host,
    '/proc/self/mountinfo',
    '21 1 7:0 / / ro - ext4 /dev/loop0 ro\n24 21 254:2 / /oem rw - ext4 /dev/vda2 rw\n',
  );
  put(host, '/sys/dev/block/7:0/uevent', 'MAJOR=7\nMINOR=0\nDEVNAME=loop0\n');
  const booted = slot === 'active' ? active : (passive ?? '');
  put(host, '/dev/loop0', osImage('ext2', booted));
  folder(host, '/oem');
  folder(host, '/opt');
  folder(host, '/run/systemd/system');
  folder(host, '/var/lib/kairos/extensions/sextant');
  put(host, '/state/cOS/active.img', osImage('ext2', active));
  if (passive !== null) put(host, '/state/cOS/passive.img', osImage('ext2', passive));
  put(host, '/state/boot_assessment', EMPTY_ENVIRONMENT);
  put(host, '/dev/disk/by-label/COS_STATE');
  folder(host, '/run/initramfs');
  if (initramfs) put(host, '/proc/1/root/etc/initrd-release');
  else symlinkSync('/state', join(host.root, '/run/initramfs/cos-state'));
}

/** As after a reboot: nothing below /run is left but what immucore writes. */
export function newBoot(host: RootedHost, id: string): void {
  put(host, '/proc/sys/kernel/random/boot_id', `${id}\n`);
}

/** COS_STATE can be mounted. */
function mountable(host: RootedHost): void {
  const point = (args: readonly string[]) => join(host.root, args.at(-1) ?? '');
  host.programs.set('mount', (args) => {
    if (args.includes('remount,rw') || args.includes('remount,ro')) return {};
    rmSync(point(args), { recursive: true });
    symlinkSync('/state', point(args));
    return {};
  });
  host.programs.set('umount', (args) => {
    rmSync(point(args));
    folder(host, args.at(-1) ?? '');
    return {};
  });
}

/** An extension whose file is in the store; its size is that of its text. */
export function stored(host: RootedHost, content: string, name = 'provider-kairos'): ExtensionFile {
  const file = extensionFile(content, name);
  put(host, storeFile(file), content);
  put(host, storeFile(file).replace(/\.raw$/, '.roothash'), file.rootHash);
  return file;
}

export function extensionFile(content: string, name = 'provider-kairos'): ExtensionFile {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { name, sha256, rootHash: createHash('sha256').update(sha256).digest('hex'), size: content.length };
}

/** Makes the link of a slot's folder, and that of /run/extensions as immucore makes it. */
export function enable(host: RootedHost, slot: UsualSlot, file: ExtensionFile): void {
  const link = `/var/lib/kairos/extensions/${slot}/${file.name}.sysext.raw`;
  for (const [path, target] of [
    [link, storeLink(file)],
    [`/run/extensions/${file.name}.sysext.raw`, link],
  ] as const) {
    folder(host, dirname(path));
    symlinkSync(target, join(host.root, path));
  }
}

/** Cuts a file short. */
export function cutShort(host: RootedHost, path: string): void {
  truncateSync(join(host.root, path), 1);
}
