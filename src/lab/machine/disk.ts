import { open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BACKUP_BYTES, type GptPartition, PRIMARY_BYTES, parseGpt } from '../../image/gpt.ts';
import { SextantError } from '../../support/errors.ts';
import { withTemporaryFolder } from '../../support/files.ts';
import { tool } from './programs.ts';

/** Name of the file on a partition, and what it holds. */
export type Files = Readonly<Record<string, string>>;

/** Offset in bytes of the ext4 superblock's label (Linux, Documentation/filesystems/ext4/super.rst: s_volume_name, 16 bytes). */
const EXT4_LABEL = 1024 + 0x78;

/** The partition of a raw disk whose ext4 file system has this label. Throws `input` when there is none. */
export async function partitionByLabel(disk: string, label: string): Promise<GptPartition> {
  const { size } = await stat(disk);
  const file = await open(disk, 'r');
  try {
    const read = async (position: number, length: number) => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    if (size < PRIMARY_BYTES + BACKUP_BYTES) throw notKairos(disk, 'it is too small to be a disk');
    for (const partition of parseGpt(await read(0, PRIMARY_BYTES), size, disk).partitions) {
      const name = (await read(partition.offset + EXT4_LABEL, 16)).toString('latin1').replace(/\0.*$/s, '');
      if (name === label) return partition;
    }
  } finally {
    await file.close();
  }
  throw notKairos(disk, `no partition has a file system labelled ${label}`);
}

function notKairos(disk: string, why: string): SextantError {
  return new SextantError('input', `${disk}: not the disk of a Kairos node: ${why}`, {
    hint: 'give the raw disk image or the ISO of a Kairos core release',
  });
}

/** A qcow2 overlay over a raw disk that is never written. */
export async function createOverlay(base: string, overlay: string, signal: AbortSignal): Promise<void> {
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', overlay], signal);
}

/**
 * Puts files into the COS_OEM partition that the guest will see, as a person would on the node: the partition is taken from the base
 * disk, changed by debugfs without mounting anything, and written into the overlay.
 */
export async function writeOem(
  base: string,
  overlay: string,
  files: Files,
  signal: AbortSignal,
): Promise<void> {
  const partition = await partitionByLabel(base, 'COS_OEM');
  await withTemporaryFolder(overlay, async (folder) => {
    const image = join(folder, 'oem.img');
    const source = await open(base, 'r');
    const bytes = Buffer.alloc(partition.size);
    await source.read(bytes, 0, bytes.length, partition.offset).finally(() => source.close());
    await writeFile(image, bytes);
    const commands: string[] = [];
    for (const [index, [name, content]] of Object.entries(files).entries()) {
      const from = join(folder, `file${index}`);
      await writeFile(from, content, { mode: 0o600 });
      commands.push(`rm "${name}"`, `write "${from}" "${name}"`, `set_inode_field "${name}" mode 0100600`);
    }
    const { stderr } = await tool('debugfs', ['-w', '-f', '-', image], signal, `${commands.join('\n')}\n`);
    const trouble = stderr
      .toString()
      .split('\n')
      .filter((line) => line !== '' && !/^debugfs \d|File not found by ext2_lookup/.test(line));
    if (trouble.length > 0) throw new SextantError('tool', `debugfs: ${trouble[0]}`);
    await tool(
      'qemu-io',
      ['-f', 'qcow2', '-c', `write -q -s ${image} ${partition.offset} ${partition.size}`, overlay],
      signal,
    );
  });
}

/** An ISO 9660 image with this volume label, holding these files or whole folder. */
export async function createIso(
  to: string,
  label: string,
  sources: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await tool('xorriso', ['-as', 'mkisofs', '-quiet', '-J', '-r', '-V', label, '-o', to, ...sources], signal);
}
