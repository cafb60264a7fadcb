import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeGpt } from '../../src/image/gpt.ts';
import { coreFrom } from '../../src/lab/core-source.ts';
import { findAccelerator } from '../../src/lab/machine/accelerator.ts';
import { createOverlay, writeOem } from '../../src/lab/machine/disk.ts';
import { fileDigest } from '../../src/support/files.ts';
import { silent } from '../../src/support/progress.ts';
import { run } from '../../src/support/subprocess.ts';

// qemu-img, e2fsck and debugfs judge what the lab does to disks.
const MiB = 1024 * 1024;
const [OFFSET, SIZE] = [2 * MiB, 16 * MiB];
const signal = new AbortController().signal;
let folder: string;
let base: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  base = join(folder, 'base.raw');
  const partition = join(folder, 'oem.ext4');
  await writeFile(partition, '');
  await truncate(partition, SIZE);
  await run('mkfs.ext4', ['-q', '-L', 'COS_OEM', partition]);
  const disk = Buffer.alloc(32 * MiB);
  const { primary, backup } = encodeGpt({
    diskUuid: '11111111-1111-1111-1111-111111111111',
    diskSize: disk.length,
    partitions: [
      {
        typeUuid: '0fc63daf-8483-4772-8e79-3d69d8477de4',
        uuid: '22222222-2222-2222-2222-222222222222',
        label: 'oem',
        offset: OFFSET,
        size: SIZE,
        flags: 0n,
      },
    ],
  });
  primary.copy(disk);
  backup.copy(disk, disk.length - backup.length);
  (await readFile(partition)).copy(disk, OFFSET);
  await writeFile(base, disk);
});
afterEach(() => rm(folder, { recursive: true }));

/** The COS_OEM partition as a guest sees it on this disk. */
async function oemOf(disk: string): Promise<string> {
  const raw = join(folder, 'seen.raw');
  await run('qemu-img', ['convert', '-O', 'raw', disk, raw]);
  const part = join(folder, 'seen.ext4');
  await writeFile(part, (await readFile(raw)).subarray(OFFSET, OFFSET + SIZE));
  await run('e2fsck', ['-f', '-n', part]);
  return part;
}

const fileIn = async (image: string, name: string) =>
  (await run('debugfs', ['-R', `cat "${name}"`, image])).stdout.toString();

test('files reach /oem of the overlay, readable by root alone; the base stays as it was', async () => {
  const before = await fileDigest(base);
  const overlay = join(folder, 'disk.qcow2');
  await createOverlay(base, overlay, signal);
  const long = 'x'.repeat(300_000);
  await writeOem(
    base,
    overlay,
    { '90_sextant.yaml': '#cloud-config\nü: "quoted"\n', 'long.yaml': long },
    signal,
  );
  const seen = await oemOf(overlay);
  expect(await fileIn(seen, '90_sextant.yaml')).toBe('#cloud-config\nü: "quoted"\n');
  expect(await fileIn(seen, 'long.yaml')).toBe(long);
  const { stdout } = await run('debugfs', ['-R', 'stat "90_sextant.yaml"', seen]);
  expect(stdout.toString()).toMatch(/Mode: {2}0600/);
  expect(stdout.toString()).toMatch(/User: {5}0/);
  expect(await fileDigest(base)).toEqual(before);
});

test.each(['xz', 'zstd', 'gzip', 'qcow2'])('a core image given as %s becomes the same disk', async (kind) => {
  const given = join(folder, `image.${kind}`);
  if (kind === 'qcow2') await run('qemu-img', ['convert', '-O', 'qcow2', base, given]);
  else await writeFile(given, (await run(kind, ['-c', base], { keepBytes: 64 * MiB })).stdout);
  const context = { cache: join(folder, 'cache'), progress: silent, signal };
  const disk = await coreFrom(given, context);
  expect((await fileDigest(disk)).sha256).toBe((await fileDigest(base)).sha256);
  // Cached: found again without the tools that made it.
  expect(await coreFrom(given, context)).toBe(disk);
});

test('the probe finds out whether guests run under KVM here, and says why not', async () => {
  const { name, why } = await findAccelerator(signal);
  expect(['kvm', 'tcg']).toContain(name);
  expect(why).not.toBe('');
});
