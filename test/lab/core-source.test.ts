import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeGpt } from '../../src/image/gpt.ts';
import { coreFrom, imageKind } from '../../src/lab/core-source.ts';
import { partitionByLabel } from '../../src/lab/machine/disk.ts';
import { silent } from '../../src/support/progress.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  file = join(folder, 'image');
});
afterEach(() => rm(folder, { recursive: true }));
const context = () => ({
  cache: join(folder, 'cache'),
  progress: silent,
  signal: new AbortController().signal,
});

const MiB = 1024 * 1024;

/** A disk of 4 MiB with one partition that begins as an ext4 file system of this label does. */
async function disk(label: string): Promise<void> {
  const bytes = Buffer.alloc(4 * MiB);
  const { primary, backup } = encodeGpt({
    diskUuid: '11111111-1111-1111-1111-111111111111',
    diskSize: bytes.length,
    partitions: [
      {
        typeUuid: '0fc63daf-8483-4772-8e79-3d69d8477de4',
        uuid: '22222222-2222-2222-2222-222222222222',
        label: 'whatever',
        offset: MiB,
        size: MiB,
        flags: 0n,
      },
    ],
  });
  primary.copy(bytes);
  backup.copy(bytes, bytes.length - backup.length);
  bytes.write(label, MiB + 1024 + 0x78, 'latin1');
  await writeFile(file, bytes);
}

test.each([
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['gzip', [0x1f, 0x8b]],
  ['qcow2', [0x51, 0x46, 0x49, 0xfb]],
  [undefined, [0x7f, 0x45, 0x4c, 0x46]],
])('%s is told by its bytes', async (kind, bytes) => {
  await writeFile(file, Buffer.from(bytes));
  expect(await imageKind(file)).toBe(kind);
});

test('a hybrid ISO is an ISO', async () => {
  await disk('COS_OEM');
  const bytes = Buffer.alloc(0x9000);
  bytes.write('EFI PART', 512, 'latin1');
  bytes.write('CD001', 0x8001, 'latin1');
  await writeFile(file, bytes);
  expect(await imageKind(file)).toBe('iso');
});

test('a disk with COS_OEM is used as it is', async () => {
  await disk('COS_OEM');
  expect(await coreFrom(file, context())).toBe(file);
  // The disk of a node names it from another folder.
  expect(await coreFrom(relative(process.cwd(), file), context())).toBe(file);
  expect((await partitionByLabel(file, 'COS_OEM')).offset).toBe(MiB);
});

test.each([
  ['no Kairos disk', () => disk('rootfs'), 'no partition has a file system labelled COS_OEM'],
  ['no image at all', () => writeFile(file, 'hello'), 'neither a disk image nor an ISO'],
  ['nothing', async () => {}, 'ENOENT'],
])('%s is one clear error', async (_, make, said) => {
  await make();
  await expect(coreFrom(file, context())).rejects.toThrow(said);
});
