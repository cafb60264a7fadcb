import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toSextantError } from '../support/errors.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { bytesText, inStep } from '../support/progress.ts';
import { BACKUP_BYTES, encodeGpt } from './gpt.ts';
import { type HashPool, openHashPool } from './hash-pool.ts';
import { hashTree } from './hash-tree.ts';
import { imageLayout, ROOT_OFFSET } from './layout.ts';
import { makeFileSystem } from './mkfs.ts';
import { readTables } from './reader.ts';
import { signaturePartition } from './signature.ts';
import type { ImageInfo, ImageRequest, Signer, WrittenImage } from './types.ts';
import { BLOCK, encodeSuperblock, treeLayout } from './verity.ts';

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
      const sealed = await sealImage({ ...request, fileSystem, path, pool, signer });
      context.signal.throwIfAborted();
      await rename(path, output);
      await syncFolder(dirname(output));
      return { ...sealed, path: output };
    } finally {
      await pool.close();
    }
  }).catch((error: unknown) => {
    throw toSextantError(error);
  });
}

export interface SealRequest
  extends Pick<ImageRequest, 'extensionName' | 'architecture' | 'seed' | 'context'> {
  /** A file that holds the file system and nothing else. It is consumed: its content moves, from the end, into the image. */
  readonly fileSystem: string;
  /** The image to write; it must not be there. */
  readonly path: string;
  readonly signer: Signer | undefined;
  readonly pool: HashPool;
}

/** Makes an image around a file system: hash tree, signature, partition table. The file is synced. */
export async function sealImage(request: SealRequest): Promise<ImageInfo> {
  const { path, pool, context, architecture, signer } = request;
  const salt = createHash('sha256').update(`sextant salt ${request.seed}`).digest();
  const data = await open(request.fileSystem, 'r+');
  try {
    const { size: dataSize } = await data.stat();
    const shape = {
      extensionName: request.extensionName,
      architecture,
      dataSize,
      signed: signer !== undefined,
    };
    const layout = treeLayout(dataSize / BLOCK);
    const hashOffset = imageLayout({ ...shape, rootHash: '0'.repeat(64) }).partitions[1]?.offset ?? 0;
    const file = await open(path, 'wx+', 0o644);
    try {
      const rootHash = await inStep(context.progress, `hash tree (${architecture})`, async (step) => {
        const written = writingBack(file);
        const result = await hashTree({
          pool,
          layout,
          salt,
          data: { file: data, offset: 0 },
          tree: { file, offset: hashOffset },
          mode: 'write',
          moveTo: ROOT_OFFSET,
          progress: (bytes) => step.update({ bytes, total: dataSize }),
        }).finally(written);
        if (!('rootHash' in result)) throw new Error('a tree that is written cannot differ');
        return result.rootHash;
      });
      await rm(request.fileSystem);
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
      await inStep(context.progress, `image (${architecture})`, () => file.sync());
      const { info } = await readTables(file, path);
      if (info.rootHash !== rootHash) throw new Error('the image does not read back as it was written');
      return info;
    } finally {
      await pool.settle();
      await file.close();
    }
  } finally {
    await data.close();
  }
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
