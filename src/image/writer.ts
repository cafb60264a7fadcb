import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { SextantError } from '../support/errors.ts';
import { fileDigest, temporaryName } from '../support/files.ts';
import { bytesText, inStep } from '../support/progress.ts';
import { run } from '../support/subprocess.ts';
import { derivedUuid } from './dps.ts';
import { BACKUP_BYTES, encodeGpt } from './gpt.ts';
import { imageLayout, ROOT_OFFSET } from './layout.ts';
import { readImage } from './reader.ts';
import { signaturePartition } from './signature.ts';
import { computeTree } from './tree.ts';
import type { ImageRequest, WrittenImage } from './types.ts';
import { BLOCK, encodeSuperblock, treeLayout } from './verity.ts';

/**
 * Writes an extension's image: the tree as erofs (by mkfs.erofs, straight to its place), its dm-verity tree, the signature, the
 * partition table. The file appears whole or not at all. The same tree and request give the same bytes.
 */
export async function writeImage(request: ImageRequest): Promise<WrittenImage> {
  const { output, context } = request;
  const temporary = temporaryName(output);
  try {
    await inStep(context.progress, `file system (${request.architecture})`, () =>
      makeFileSystem(request, temporary),
    );
    const rootHash = await sealImage({ ...request, path: temporary });
    await chmod(temporary, 0o644);
    const { sha256 } = await inStep(context.progress, `image digest (${request.architecture})`, () =>
      fileDigest(temporary, context.signal),
    );
    const info = await readImage(temporary);
    if (info.rootHash !== rootHash) throw new Error('the image does not read back as it was written');
    await rename(temporary, output);
    return { ...info, path: output, sha256 };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** mkfs.erofs(1) with everything that could differ between two runs fixed. */
async function makeFileSystem(request: ImageRequest, path: string): Promise<void> {
  const [program, ...leading] = request.mkfs;
  if (program === undefined) throw new Error('no command for mkfs.erofs');
  const { compression, level, clusterSize } = request;
  const compress =
    compression === 'none'
      ? []
      : [
          `-z${compression}${level === undefined ? '' : compression === 'zstd' ? `,level=${level}` : `,${level}`}`,
          `-C${clusterSize}`,
          '--workers=2',
        ];
  await run(
    program,
    [
      ...leading,
      '--quiet',
      ...compress,
      '-T',
      String(request.timestamp),
      '-U',
      derivedUuid(`sextant file system ${request.seed}`),
      '-x-1',
      '--all-root',
      path,
      request.tree,
    ],
    { signal: request.context.signal, timeoutSeconds: 3600 },
  );
  await makeRoom(path, request.context.signal);
}

/**
 * Moves a file's content up by ROOT_OFFSET. On ext4 and XFS the file system does it without touching the content
 * (FALLOC_FL_INSERT_RANGE); elsewhere it is copied. mkfs.erofs' own --offset puts uncompressed files in the wrong place (1.8.6).
 */
async function makeRoom(path: string, signal: AbortSignal): Promise<void> {
  try {
    await run('fallocate', ['--insert-range', '--offset', '0', '--length', String(ROOT_OFFSET), path], {
      signal,
    });
    return;
  } catch {
    signal.throwIfAborted();
  }
  const moved = temporaryName(path);
  try {
    await pipeline(
      createReadStream(path, { highWaterMark: ROOT_OFFSET }),
      createWriteStream(moved, { start: ROOT_OFFSET }),
      { signal },
    );
    await rename(moved, path);
  } catch (error) {
    await rm(moved, { force: true });
    throw error;
  }
}

interface SealRequest
  extends Pick<ImageRequest, 'extensionName' | 'architecture' | 'seed' | 'signing' | 'context'> {
  /** A file with a file system at ROOT_OFFSET and nothing behind it. */
  readonly path: string;
}

/** Adds hash tree, signature and partition table to a file that has its file system in place; returns the root hash. */
export async function sealImage(request: SealRequest): Promise<string> {
  const { path, context, architecture } = request;
  const length = (await stat(path)).size - ROOT_OFFSET;
  const dataSize = Math.ceil(length / BLOCK) * BLOCK;
  if (dataSize < 2 * BLOCK) throw new SextantError('tool', 'mkfs.erofs wrote no file system');
  const salt = createHash('sha256').update(`sextant salt ${request.seed}`).digest();
  const layout = treeLayout(dataSize / BLOCK);
  const file = await open(path, 'r+');
  try {
    await file.truncate(ROOT_OFFSET + dataSize);
    const shape = {
      extensionName: request.extensionName,
      architecture,
      dataSize,
      signed: request.signing !== undefined,
    };
    const hashOffset = imageLayout({ ...shape, rootHash: '0'.repeat(64) }).partitions[1]?.offset ?? 0;
    const rootHash = await inStep(
      context.progress,
      `hash tree (${architecture})`,
      async (step) => {
        const root = await computeTree({
          path,
          file,
          dataOffset: ROOT_OFFSET,
          hashOffset,
          layout,
          salt,
          signal: context.signal,
          progress: (bytes) => step.update({ bytes, total: dataSize }),
          emit: (piece, at) => writeAt(file, piece, at),
        });
        await writeAt(file, encodeSuperblock(layout.dataBlocks, salt), hashOffset);
        return root;
      },
      () => bytesText(dataSize),
    );
    const gpt = imageLayout({ ...shape, rootHash });
    const signature = gpt.partitions[2];
    if (request.signing !== undefined && signature !== undefined) {
      const { bytes } = await signaturePartition(rootHash, request.signing);
      await writeAt(file, bytes, signature.offset);
    }
    const { primary, backup } = encodeGpt(gpt);
    await writeAt(file, primary, 0);
    await writeAt(file, backup, gpt.diskSize - BACKUP_BYTES);
    await file.sync();
    return rootHash;
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
