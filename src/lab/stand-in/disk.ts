import { open } from 'node:fs/promises';
import { derivedUuid } from '../../image/dps.ts';
import { encodeGpt, type GptPartition } from '../../image/gpt.ts';
import { tool } from '../machine/programs.ts';

export const MIB = 1024 ** 2;
/** Linux filesystem data (Discoverable Partitions Specification). */
const LINUX_DATA = '0fc63daf-8483-4772-8e79-3d69d8477de4';

/** A partition by its label; Linux data unless another type is given. */
export function partition(
  label: string,
  offset: number,
  size: number,
  typeUuid: string = LINUX_DATA,
): GptPartition {
  return { typeUuid, uuid: derivedUuid(label), label, offset, size, flags: 0n };
}

/** A new raw disk with these partitions, each an ext4 file system with its label; `filled` names folders that go into them. */
export async function makeDisk(
  disk: string,
  name: string,
  size: number,
  partitions: readonly GptPartition[],
  filled: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const { primary, backup } = encodeGpt({ diskUuid: derivedUuid(name), diskSize: size, partitions });
  const file = await open(disk, 'w');
  try {
    await file.write(primary, 0, primary.length, 0);
    await file.write(backup, 0, backup.length, size - backup.length);
  } finally {
    await file.close();
  }
  for (const { label, offset, size: bytes, typeUuid } of partitions) {
    if (typeUuid !== LINUX_DATA) continue;
    const content = filled[label] === undefined ? [] : ['-d', filled[label]];
    const place = ['-E', `offset=${offset}`, disk, `${bytes / 1024}k`];
    await tool('mkfs.ext4', ['-q', '-F', '-L', label, ...content, ...place], signal);
  }
}
