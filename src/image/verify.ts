import type { X509Certificate } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { SextantError } from '../support/errors.ts';
import { BACKUP_BYTES, encodeGpt } from './gpt.ts';
import { openHashPool } from './hash-pool.ts';
import { hashTree } from './hash-tree.ts';
import { imageLayout } from './layout.ts';
import { type OpenImage, openImage, readAt, readTables, signatureBytes } from './reader.ts';
import { checkSignature } from './signature.ts';
import type { ImageInfo } from './types.ts';
import { BLOCK, encodeSuperblock } from './verity.ts';

export interface VerifyOptions {
  /** Hexadecimal root hash that the image must have. */
  readonly rootHash?: string;
  /** Certificates one of which must have signed it. */
  readonly certificates?: readonly X509Certificate[];
  /** Fail when the certificate's dates do not include now; systemd does not look at them. */
  readonly requireValidDates?: boolean;
  readonly signal?: AbortSignal;
  /** The time that a certificate's dates are held against; default now. */
  readonly now?: Date;
}

const PIECE = 1024 * 1024;

/**
 * Hashes everything in an image again and accounts for every byte of the file: both partition tables, gaps, padding, superblock, tree,
 * signature. One changed bit anywhere is a `verification` (or, where it cannot even be read, `input`) error.
 */
export async function verifyImage(
  path: string,
  options: VerifyOptions = {},
): Promise<{ readonly info: ImageInfo; readonly warnings: readonly string[] }> {
  const fail = (why: string) =>
    new SextantError('verification', `${path}: ${why}`, {
      hint: 'do not use this file; fetch it again from where it was released',
    });
  const signal = options.signal ?? new AbortController().signal;
  const trusted = options.certificates;
  const file = await openImage(path);
  try {
    const image = await readTables(file, path);
    const { info, root, verity, signature, layout, salt } = image;
    if (options.rootHash !== undefined && info.rootHash !== options.rootHash) {
      throw fail(`its root hash is ${info.rootHash}, expected is ${options.rootHash}`);
    }
    if (layout.dataBlocks * BLOCK !== root.size) {
      throw fail(
        `its dm-verity superblock is for ${layout.dataBlocks} blocks, its file system has another size`,
      );
    }
    const expected = imageLayout({
      extensionName: root.label,
      architecture: image.architecture,
      dataSize: root.size,
      rootHash: info.rootHash,
      signed: signature !== undefined,
    });
    const { primary, backup } = encodeGpt(expected);
    if (expected.diskSize !== info.size)
      throw fail(`has ${info.size} bytes where its partitions need ${expected.diskSize}`);
    if (!(await readAt(file, 0, primary.length)).equals(primary))
      throw fail('its partition table is not as it was written');
    if (!(await readAt(file, info.size - BACKUP_BYTES, BACKUP_BYTES)).equals(backup)) {
      throw fail('its backup partition table is not as it was written');
    }
    const superblock = await readAt(file, verity.offset, BLOCK);
    if (!superblock.equals(encodeSuperblock(layout.dataBlocks, salt))) {
      throw fail('its dm-verity superblock is not as it was written');
    }
    const ends = [
      primary.length,
      ...[root, verity, signature].flatMap((part) => (part ? [part.offset + part.size] : [])),
    ];
    const begins = [root, verity, signature].flatMap((part) => (part ? [part.offset] : []));
    begins.push(info.size - BACKUP_BYTES);
    for (const [index, from] of ends.entries()) await requireZeros(file, from, begins[index] ?? from, fail);
    await checkTree(image, file, signal, fail);
    const warnings: string[] = [];
    if (signature !== undefined) {
      await checkSignature(await signatureBytes(file, signature, path), info.rootHash, path, trusted);
      const now = (options.now ?? new Date()).toISOString();
      const until = info.signature?.notAfter;
      if (until !== undefined && until < now) {
        if (options.requireValidDates) throw fail(`its certificate expired at ${until}`);
        warnings.push(`its certificate expired at ${until}; systemd does not look at the dates`);
      }
    } else if (trusted !== undefined) {
      throw fail('it is not signed');
    }
    return { info, warnings };
  } finally {
    await file.close();
  }
}

async function requireZeros(
  file: FileHandle,
  from: number,
  to: number,
  fail: (why: string) => SextantError,
): Promise<void> {
  for (let at = from; at < to; at += PIECE) {
    const piece = await readAt(file, at, Math.min(PIECE, to - at));
    if (piece.some((byte) => byte !== 0)) throw fail(`has bytes between its partitions, after ${from}`);
  }
}

/** Hashes the data again, in threads, and holds the tree against it. */
async function checkTree(
  { info, root, verity, layout, salt }: OpenImage,
  file: FileHandle,
  signal: AbortSignal,
  fail: (why: string) => SextantError,
): Promise<void> {
  const pool = openHashPool(signal);
  try {
    const result = await hashTree({
      pool,
      layout,
      salt,
      data: { file, offset: root.offset },
      tree: { file, offset: verity.offset },
      mode: 'compare',
    });
    if (!('rootHash' in result)) {
      const what = result.level === 0 ? 'data' : `hash tree's level ${result.level - 1}`;
      throw fail(`its ${what} and hashes were changed apart: block ${result.block} does not fit its hash`);
    }
    if (result.rootHash !== info.rootHash) {
      throw fail(`its data has the root hash ${result.rootHash}, its partitions name ${info.rootHash}`);
    }
  } finally {
    await pool.close();
  }
}
