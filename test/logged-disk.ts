import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** QEMU's block drivers without a machine; in Debian's qemu-system-common. */
const DAEMON = 'qemu-storage-daemon';
const MEBIBYTES = 16;
const SECTOR = 512;

/** An ext4 that is mounted and whose every write and flush is noted in their order. */
export interface LoggedDisk {
  /** Writes and flushes so far. */
  entries(): number;
  /** Unmounts, and gives what is needed to make the disk as a power cut would have left it. */
  close(): Promise<DiskHistory>;
}

export interface DiskHistory {
  /** The disk before the first write. */
  readonly before: Buffer;
  readonly entries: readonly DiskEntry[];
}

/** A write, or a flush: whatever was written before it is on the disk. A write with `forced` is on the disk by itself. */
export interface DiskEntry {
  readonly flush: boolean;
  readonly forced: boolean;
  /** Bytes from the start of the disk. */
  readonly offset: number;
  readonly data: Buffer;
}

/** Whether this machine can: it takes root, loop devices and FUSE. */
export function canLogDisks(): boolean {
  const there = ['/dev/fuse', '/dev/loop-control', `/usr/bin/${DAEMON}`].every((path) => existsSync(path));
  return there && process.getuid?.() === 0;
}

/** Makes an ext4 of a folder's content, and mounts it; `work` is an empty folder for what that takes. */
export async function loggedDisk(content: string, mountPoint: string, work: string): Promise<LoggedDisk> {
  const [disk, log, device] = ['disk', 'log', 'device'].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-b', '4096', '-d', content, disk, `${MEBIBYTES}M`]);
  const before = readFileSync(disk);
  for (const path of [log, device]) writeFileSync(path, '');
  const daemon = spawn(
    DAEMON,
    [
      ...['--blockdev', `driver=file,node-name=disk,filename=${disk}`],
      ...['--blockdev', `driver=file,node-name=log,filename=${log}`],
      ...['--blockdev', 'driver=blklogwrites,node-name=logged,file=disk,log=log,log-super-update-interval=1'],
      ...['--export', `type=fuse,id=export,node-name=logged,mountpoint=${device},writable=on`],
    ],
    { stdio: 'inherit' },
  );
  const ended = new Promise<void>((resolve) => daemon.once('close', () => resolve()));
  const stop = async () => {
    daemon.kill('SIGTERM');
    await ended;
  };
  try {
    const until = performance.now() + 30_000;
    while (execFileSync('stat', ['-c', '%s', device], { encoding: 'utf8' }).trim() === '0') {
      if (daemon.exitCode !== null || performance.now() > until) throw new Error(`${DAEMON} gives no disk`);
      await setTimeout(20);
    }
    const loop = execFileSync('losetup', ['-f', '--show', device], { encoding: 'utf8' }).trim();
    try {
      execFileSync('mount', ['-t', 'ext4', loop, mountPoint]);
    } catch (error) {
      execFileSync('losetup', ['-d', loop]);
      throw error;
    }
    return {
      entries: () => entryCount(log),
      async close() {
        execFileSync('umount', [mountPoint]);
        execFileSync('losetup', ['-d', loop]);
        await stop();
        return { before, entries: readLog(readFileSync(log)) };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const MAGIC = 0x6a736677736872n;

function entryCount(path: string): number {
  const head = Buffer.alloc(28);
  const file = openSync(path, 'r');
  readSync(file, head, 0, head.length, 0);
  closeSync(file);
  if (head.readBigUInt64LE(0) !== MAGIC || head.readUInt32LE(24) !== SECTOR)
    throw new Error(`${path}: no log of writes`);
  return Number(head.readBigUInt64LE(16));
}

/** The log's format is that of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst). */
function readLog(log: Buffer): DiskEntry[] {
  const [FLUSH, FORCED, DISCARD] = [1, 2, 4];
  const entries: DiskEntry[] = [];
  let at = SECTOR;
  for (let left = Number(log.readBigUInt64LE(16)); left > 0; left--) {
    const [sector, sectors, flags] = [0, 8, 16].map((offset) => Number(log.readBigUInt64LE(at + offset))) as [
      number,
      number,
      number,
    ];
    at += SECTOR;
    const size = flags & DISCARD ? 0 : sectors * SECTOR;
    entries.push({
      flush: (flags & FLUSH) !== 0,
      forced: (flags & FORCED) !== 0,
      offset: sector * SECTOR,
      data: log.subarray(at, at + size),
    });
    at += size;
  }
  return entries;
}

/** What a power cut may leave: nothing that was not flushed, all of it, or some. */
export type Lost = 'everything' | 'nothing' | 'some';

/**
 * The disk after a power cut behind each entry, `from` to the last; with what was not flushed yet lost in each of these ways, where
 * that makes a difference. `random` gives numbers from 0 to 1.
 */
export function* afterCuts(
  { before, entries }: DiskHistory,
  random: () => number,
): Generator<{ readonly after: number; readonly lost: Lost; readonly disk: Buffer }> {
  const durable = Buffer.from(before);
  let pending: DiskEntry[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.flush) {
      for (const { offset, data } of pending) data.copy(durable, offset);
      pending = [];
    }
    if (entry.forced) entry.data.copy(durable, entry.offset);
    else if (entry.data.length > 0) pending.push(entry);
    const with_ = (writes: readonly DiskEntry[]) => {
      const disk = Buffer.from(durable);
      for (const { offset, data } of writes) data.copy(disk, offset);
      return disk;
    };
    const after = index + 1;
    yield { after, lost: 'everything', disk: durable };
    if (pending.length > 0) yield { after, lost: 'nothing', disk: with_(pending) };
    if (pending.length > 1) yield { after, lost: 'some', disk: with_(pending.filter(() => random() < 0.5)) };
  }
}

/** Mounts a disk that was cut off, which plays its journal back, for as long as `work` takes. */
export function mounted<T>(disk: Buffer, mountPoint: string, work: () => T): T {
  const file = `${mountPoint}.disk`;
  writeFileSync(file, disk);
  execFileSync('mount', ['-o', 'loop', file, mountPoint]);
  try {
    return work();
  } finally {
    execFileSync('umount', [mountPoint]);
  }
}
