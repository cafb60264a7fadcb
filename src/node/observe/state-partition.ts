import { toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';

/** Where immucore mounts COS_STATE; visible once the real root is the root, hidden below it while the initramfs stage runs. */
const VISIBLE = '/run/initramfs/cos-state';
const DEVICE = '/dev/disk/by-label/COS_STATE';
const PRIVATE = `${RUN_FOLDER}/cos-state`;

/** Calls `use` with the folder of COS_STATE, mounted for the time when it is not visible. Undefined on a node that has none. */
export function readStatePartition<T>(host: Host, use: (folder: string) => T): T | undefined {
  if (host.stat(`${VISIBLE}/cOS`)) return use(VISIBLE);
  return mounted(host, use);
}

/**
 * The same, writable: on a mount of our own, so that the node's stays read-only. Read-only again afterwards: that writes ext4's journal to
 * its place, which GRUB needs, for it reads no journal. Throws `tool` when it cannot be mounted.
 */
export function writeStatePartition<T>(host: Host, use: (folder: string) => T): T | undefined {
  return mounted(host, (folder, readOnly) => {
    if (!readOnly) return use(folder);
    runProgram(host, 'mount', ['-o', 'remount,rw', folder]);
    try {
      return use(folder);
    } finally {
      runProgram(host, 'mount', ['-o', 'remount,ro', folder]);
    }
  });
}

function mounted<T>(host: Host, use: (folder: string, readOnly: boolean) => T): T | undefined {
  if (!host.stat(DEVICE)) return undefined;
  host.mkdir(RUN_FOLDER, 0o755);
  host.mkdir(PRIVATE, 0o755);
  const readOnly = mount(host);
  try {
    return use(PRIVATE, readOnly);
  } finally {
    runProgram(host, 'umount', [PRIVATE]);
    host.rmdir(PRIVATE);
  }
}

/** True when read-only. A file system has one such state for all its mounts, so while someone writes to it this mount is writable too. */
function mount(host: Host): boolean {
  try {
    runProgram(host, 'mount', ['-o', 'ro', DEVICE, PRIVATE]);
    return true;
  } catch (error) {
    if (toFailure(error).code !== 'tool') throw error;
    runProgram(host, 'mount', ['-o', 'rw', DEVICE, PRIVATE]);
    return false;
  }
}
