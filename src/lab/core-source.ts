import { mkdir, open, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { withLocalFile } from '../release/extension.ts';
import { builtFolder } from '../sources/built.ts';
import type { Context } from '../support/context.ts';
import { SextantError } from '../support/errors.ts';
import { fileDigest } from '../support/files.ts';
import { inStep } from '../support/progress.ts';
import { run } from '../support/subprocess.ts';
import { coreDisk } from './core/index.ts';
import { INSTALLATION, installDisk } from './core/install.ts';
import { partitionByLabel } from './machine/disk.ts';
import { checkPrograms, tool } from './machine/programs.ts';

type Kind = 'iso' | 'gpt' | 'qcow2' | 'xz' | 'zstd' | 'gzip';

// First bytes, or bytes at a place: ECMA-119 8.1, UEFI 5.3.2, qcow2.txt, and the compressed formats' own magic numbers.
const MAGIC: readonly { readonly kind: Kind; readonly at: number; readonly bytes: Buffer }[] = [
  { kind: 'iso', at: 0x8001, bytes: Buffer.from('CD001') },
  { kind: 'qcow2', at: 0, bytes: Buffer.from([0x51, 0x46, 0x49, 0xfb]) },
  { kind: 'xz', at: 0, bytes: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { kind: 'zstd', at: 0, bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
  { kind: 'gzip', at: 0, bytes: Buffer.from([0x1f, 0x8b]) },
  { kind: 'gpt', at: 512, bytes: Buffer.from('EFI PART') },
];

/** What a file is by its own bytes. An ISO that also has a partition table counts as an ISO. */
export async function imageKind(path: string): Promise<Kind | undefined> {
  const file = await open(path, 'r');
  try {
    for (const { kind, at, bytes } of MAGIC) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes.length), 0, bytes.length, at);
      if (bytesRead === bytes.length && buffer.equals(bytes)) return kind;
    }
  } finally {
    await file.close();
  }
  return undefined;
}

const UNPACK: Readonly<Record<'xz' | 'zstd' | 'gzip', string>> = {
  xz: 'xz -dc',
  zstd: 'zstd -dc',
  gzip: 'gzip -dc',
};

/**
 * The raw disk of an installed core node, never to be written: the lab's own image, or from a file or address of a Kairos core image.
 * A raw disk is used as it is, a compressed one or a qcow2 is unpacked, an ISO is installed by its own installer; all cached.
 * Throws `input` for what is no Kairos image.
 */
export async function coreFrom(source: string | undefined, context: Context): Promise<string> {
  await checkPrograms();
  if (source === undefined) return coreDisk(context);
  return withLocalFile(source, context, (path) => diskOf(path, source, context));
}

async function diskOf(path: string, source: string, context: Context): Promise<string> {
  const kind = await imageKind(path);
  if (kind === undefined) {
    throw new SextantError('input', `${source}: neither a disk image nor an ISO`, {
      hint: 'give the raw disk image or the ISO of a Kairos core release',
    });
  }
  if (kind === 'gpt') {
    await partitionByLabel(path, 'COS_OEM');
    return resolve(path); // A disk over it names it, and lies elsewhere.
  }
  const { sha256 } = await inStep(context.progress, `read ${source}`, () => fileDigest(path, context.signal));
  const made = await builtFolder(
    context,
    { kind: 'lab-given', sha256, from: kind, installation: INSTALLATION },
    async (folder) => {
      const disk = join(folder, 'disk.raw');
      if (kind === 'iso') {
        await checkPrograms(['xorriso']);
        const work = join(folder, 'work');
        await mkdir(work);
        await installDisk({ iso: path }, disk, work, context);
        await rm(work, { recursive: true });
      } else if (kind === 'qcow2') {
        await tool('qemu-img', ['convert', '-O', 'raw', path, disk], context.signal);
      } else {
        await inStep(context.progress, `unpack ${source}`, () =>
          run(
            'sh',
            ['-c', `${UNPACK[kind]} <"$1" | dd of="$2" bs=1M conv=sparse 2>/dev/null`, 'sh', path, disk],
            {
              signal: context.signal,
              timeoutSeconds: 3600,
            },
          ),
        );
      }
      await partitionByLabel(disk, 'COS_OEM');
    },
  );
  return join(made, 'disk.raw');
}
