import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toSextantError } from '../support/errors.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { bytesText, inStep } from '../support/progress.ts';
import { fullDiskOr } from './full-disk.ts';
import { BACKUP_BYTES, encodeGpt } from './gpt.ts';
import { type HashPool, openHashPool } from './hash-pool.ts';
import { hashTree, type TreeRequest } from './hash-tree.ts';
import { canInsertBefore, insertBefore } from './insert.ts';
import { imageLayout, ROOT_OFFSET } from './layout.ts';
import { makeFileSystem } from './mkfs.ts';
import { readTables } from './reader.ts';
import { signaturePartition } from './signature.ts';
import type { ImageInfo, ImageRequest, Signer, WrittenImage } from './types.ts';
import { BLOCK, encodeSuperblock, type TreeLayout, treeLayout } from './verity.ts';

/** Pause before what was written since is brought to the disk too, milliseconds. */
const WRITE_BACK_PAUSE = 20;

/**
 * Writes an extension's image: the tree as erofs, its dm-verity tree, the signature, the partition table. The file appears whole, synced
 * and under its own name, or not at all. The same tree and request give the same bytes, whatever the folder, the clock, the user or the
 * number of processors; memory does not grow with the tree. Throws `tool` (mkfs.erofs), `filesystem`, `interrupted`.
 */
export async function writeImage(request: ImageRequest): Promise<WrittenImage> {
  const { output, context, architecture, signer } = request;
  await mkdir(dirname(output), { recursive: true });
  return withTemporaryFolder(output, async (folder) => {
    const pool = openHashPool(context.signal); // The threads start while mkfs.erofs works.
    try {
      const fileSystem = join(folder, 'file-system');
      await inStep(
        context.progress,
        `file system (${architecture})`,
        (step) => makeFileSystem(request, fileSystem, step),
        bytesText,
      );
      const path = join(folder, basename(output));
      const moves = await canInsertBefore(folder, ROOT_OFFSET, context.signal);
      const sealed = await sealImage({ ...request, fileSystem, path, moves, pool, signer });
      context.signal.throwIfAborted();
      await rename(path, output);
      await syncFolder(dirname(output));
      return { ...sealed, path: output };
    } finally {
      await pool.close();
    }
  }).catch((error: unknown) => {
    throw toSextantError(fullDiskOr(error, output));
  });
}

export interface SealRequest
  extends Pick<ImageRequest, 'extensionName' | 'architecture' | 'seed' | 'context'> {
  /** A file that holds the file system and nothing else. It is consumed: it becomes the image, or its content moves there from the end. */
  readonly fileSystem: string;
  /** The image to write, in the same folder; it must not be there. */
  readonly path: string;
  /** Whether the folder's file system moves content without copying it (`canInsertBefore`). */
  readonly moves: boolean;
  readonly signer: Signer | undefined;
  readonly pool: HashPool;
}

/** Makes an image around a file system: hash tree, signature, partition table. The file is synced. */
export async function sealImage(request: SealRequest): Promise<ImageInfo> {
  const { fileSystem, path, context, architecture, signer } = request;
  const salt = createHash('sha256').update(`sextant salt ${request.seed}`).digest();
  const { size: dataSize } = await stat(fileSystem);
  const shape = {
    extensionName: request.extensionName,
    architecture,
    dataSize,
    signed: signer !== undefined,
  };
  const layout = treeLayout(dataSize / BLOCK);
  const hashOffset = imageLayout({ ...shape, rootHash: '0'.repeat(64) }).partitions[1]?.offset ?? 0;
  const hashing = { ...request, layout, salt, dataSize, hashOffset };
  const { file, rootHash } = await (request.moves ? hashedInPlace(hashing) : hashedAndCopied(hashing));
  try {
    await inStep(context.progress, `image (${architecture})`, async () => {
      if (request.moves) await moveIntoPlace(request);
      const gpt = imageLayout({ ...shape, rootHash });
      const { primary, backup } = encodeGpt(gpt);
      await file.truncate(gpt.diskSize); // Gaps between partitions stay holes.
      await writeAt(file, primary, 0);
      await writeAt(file, encodeSuperblock(layout.dataBlocks, salt), hashOffset);
      const signature = gpt.partitions[2];
      if (signer !== undefined && signature !== undefined) {
        await writeAt(file, await signaturePartition(rootHash, signer), signature.offset);
      }
      await writeAt(file, backup, gpt.diskSize - BACKUP_BYTES);
      await file.chmod(0o644); // Whatever the umask.
      await file.sync();
    });
    const { info } = await readTables(file, path);
    if (info.rootHash !== rootHash) throw new Error('the image does not read back as it was written');
    return info;
  } finally {
    await file.close();
  }
}

interface Hashing extends SealRequest {
  readonly layout: TreeLayout;
  readonly salt: Buffer;
  /** Size of the file system and offset of the hash partition in the image, bytes. */
  readonly dataSize: number;
  readonly hashOffset: number;
}

/** The file that becomes the image, with its file system and hash tree; open, for the caller to close. */
interface Hashed {
  readonly file: FileHandle;
  readonly rootHash: string;
}

/** The file system stays where it is for now, and the tree is written behind it: both ROOT_OFFSET too early, until `moveIntoPlace`. */
async function hashedInPlace(request: Hashing): Promise<Hashed> {
  const { fileSystem, pool, hashOffset } = request;
  const file = await open(fileSystem, 'r+');
  try {
    const rootHash = await hashed(request, file, { file, offset: hashOffset - ROOT_OFFSET });
    return { file, rootHash };
  } catch (error) {
    await pool.settle();
    await file.close();
    throw error;
  }
}

/** Makes room for the tables in front of file system and tree, and gives the file its name. */
async function moveIntoPlace({ fileSystem, path, context }: SealRequest): Promise<void> {
  await insertBefore(fileSystem, ROOT_OFFSET, context.signal);
  await rename(fileSystem, path);
}

/** The file system is copied to its place while it is hashed, from its end, and its own file shortened. */
async function hashedAndCopied(request: Hashing): Promise<Hashed> {
  const { fileSystem, path, pool, hashOffset } = request;
  const data = await open(fileSystem, 'r+');
  try {
    const file = await open(path, 'wx+', 0o644);
    try {
      const rootHash = await hashed(request, data, { file, offset: hashOffset }, ROOT_OFFSET);
      await rm(fileSystem);
      return { file, rootHash };
    } catch (error) {
      await pool.settle();
      await file.close();
      throw error;
    }
  } finally {
    await data.close();
  }
}

/** Writes the hash tree of `data` to `tree` and gives its root hash; `moveTo` copies the data there, in the tree's file. */
async function hashed(
  { pool, layout, salt, dataSize, context, architecture }: Hashing,
  data: FileHandle,
  tree: TreeRequest['tree'],
  moveTo?: number,
): Promise<string> {
  return await inStep(context.progress, `hash tree (${architecture})`, async (step) => {
    const written = writingBack(tree.file);
    const result = await hashTree({
      pool,
      layout,
      salt,
      data: { file: data, offset: 0 },
      tree,
      mode: 'write',
      ...(moveTo === undefined ? {} : { moveTo }),
      progress: (bytes) => step.update({ bytes, total: dataSize }),
    }).finally(written);
    if (!('rootHash' in result)) throw new Error('a tree that is written cannot differ');
    return result.rootHash;
  });
}

/**
 * Brings to the disk what is written meanwhile, so that little is left for the last sync. What it gives back ends it, and rejects where
 * the disk did not take something: the system says that once for each descriptor (fsync(2)).
 */
function writingBack(file: FileHandle): () => Promise<void> {
  let going = true;
  const work = async () => {
    while (going) {
      await file.datasync();
      await sleep(WRITE_BACK_PAUSE);
    }
  };
  const done = work();
  done.catch(() => {});
  return () => {
    going = false;
    return done;
  };
}

/** Makes a rename last. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
