import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { partitionKind } from './dps.ts';
import { type Gpt, type GptPartition, PRIMARY_BYTES, parseGpt } from './gpt.ts';
import { parseSignature, SIGNATURE_BYTES } from './signature.ts';
import type { ImageInfo } from './types.ts';
import { BLOCK, parseSuperblock, type TreeLayout } from './verity.ts';

export interface OpenImage {
  readonly gpt: Gpt;
  readonly architecture: Architecture;
  readonly root: GptPartition;
  readonly verity: GptPartition;
  readonly signature: GptPartition | undefined;
  readonly layout: TreeLayout;
  readonly salt: Buffer;
  readonly info: ImageInfo;
}

/** What an extension's image says of itself. Only tables are read, none of the data; malformed images are one `input` error. */
export async function readImage(path: string): Promise<ImageInfo> {
  const file = await openImage(path);
  try {
    return (await readTables(file, path)).info;
  } finally {
    await file.close();
  }
}

/** Opens an image for reading; what is no file (a folder, a pipe that nobody fills) is an `input` error instead of a long wait. */
export async function openImage(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new SextantError('input', `${path}: not an extension image: it is not a file`, {
    hint: 'an extension is one .raw file',
  });
}

/** The tables of an open image, checked against each other. */
export async function readTables(file: FileHandle, path: string): Promise<OpenImage> {
  const { size } = await file.stat();
  const gpt = parseGpt(await readAt(file, 0, Math.min(size, PRIMARY_BYTES)), size, path);
  const kinds = gpt.partitions.map((partition) => ({ partition, kind: partitionKind(partition.typeUuid) }));
  const only = (designator: string) => {
    const found = kinds.filter(({ kind }) => kind?.designator === designator);
    if (found.length > 1)
      throw new SextantError('input', `${path}: has ${found.length} ${designator} partitions`);
    return found[0];
  };
  const root = only('root');
  const verity = only('root-verity');
  const signature = only('root-verity-sig')?.partition;
  if (root?.kind === undefined || verity === undefined) {
    throw new SextantError(
      'input',
      `${path}: has no ${root === undefined ? 'root' : 'root-verity'} partition`,
      {
        hint: 'an extension for Kairos holds a root and a root-verity partition',
      },
    );
  }
  if (verity.kind?.architecture !== root.kind.architecture) {
    throw new SextantError('input', `${path}: its partitions are for different architectures`);
  }
  const superblock = await readAt(file, verity.partition.offset, Math.min(BLOCK, verity.partition.size));
  const { salt, layout } = parseSuperblock(superblock, verity.partition.size, root.partition.size, path);
  const rootHash = `${root.partition.uuid}${verity.partition.uuid}`.replaceAll('-', '');
  const read =
    signature === undefined
      ? undefined
      : await parseSignature(await signatureBytes(file, signature, path), path);
  if (read !== undefined && read.rootHash !== rootHash) {
    throw new SextantError(
      'verification',
      `${path}: its signature is for another root hash than its partitions name`,
    );
  }
  return {
    gpt,
    architecture: root.kind.architecture,
    root: root.partition,
    verity: verity.partition,
    signature,
    layout,
    salt,
    info: {
      rootHash,
      partitions: kinds.map(({ partition, kind }) => ({
        designator: kind?.designator ?? 'unknown',
        label: partition.label,
        typeUuid: partition.typeUuid,
        uuid: partition.uuid,
        offset: partition.offset,
        size: partition.size,
      })),
      size,
      diskUuid: gpt.diskUuid,
      salt: salt.toString('hex'),
      ...(read === undefined ? {} : { signature: read.info }),
    },
  };
}

export async function signatureBytes(
  file: FileHandle,
  partition: GptPartition,
  path: string,
): Promise<Buffer> {
  if (partition.size > 4 * SIGNATURE_BYTES) {
    throw new SextantError('input', `${path}: its signature partition has ${partition.size} bytes`);
  }
  return readAt(file, partition.offset, partition.size);
}

/** Exactly `length` bytes, or an `input` error. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new SextantError('input', 'the image ends in the middle of a partition');
    done += bytesRead;
  }
  return buffer;
}
