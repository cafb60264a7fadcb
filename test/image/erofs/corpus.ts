import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { crc32c } from '../../../src/image/erofs/crc32c.ts';
import { type Erofs, type ErofsEntry, openErofs } from '../../../src/image/erofs/index.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'corpus');
const SUFFIX = '.img.gz';

/** Names of the images of corpus/ (made by corpus/make.sh). */
export const IMAGES = readdirSync(folder)
  .filter((name) => name.endsWith(SUFFIX))
  .map((name) => name.slice(0, -SUFFIX.length))
  .sort();

/** Every image that this reader can read whole. */
export const READABLE = IMAGES.filter((name) => name !== 'lzma');

export const imageBytes = (name: string): Buffer => gunzipSync(readFileSync(join(folder, name + SUFFIX)));

export const openBytes = (bytes: Buffer): Promise<Erofs> =>
  openErofs(async (offset, length) => bytes.subarray(offset, offset + length), bytes.length);

export const openImage = (name: string): Promise<Erofs> => openBytes(imageBytes(name));

/** The same bytes with the superblock's checksum made right again. */
export function withChecksum(bytes: Buffer): Buffer {
  const blockSize = 2 ** bytes.readUInt8(1024 + 12);
  const end = blockSize > 1024 ? blockSize : 1024 + blockSize;
  bytes.writeUInt32LE(0, 1024 + 4);
  bytes.writeUInt32LE(crc32c(bytes.subarray(1024, end)), 1024 + 4);
  return bytes;
}

export const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What is compared between an image and corpus/tree.txt. */
export interface Expected {
  readonly kind: string;
  readonly mode: number;
  /** Of files and links; a folder's size is the file system's affair. */
  readonly size: number | undefined;
  readonly nlink: number;
  readonly sha256: string | undefined;
  readonly target: string | undefined;
}

const KINDS: Readonly<Record<string, string>> = { f: 'file', d: 'folder', l: 'link', p: 'pipe' };

export function expectedTree(): Map<string, Expected> {
  const lines = readFileSync(join(folder, 'tree.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [fields, target] = line.split('\t') as [string, string | undefined];
      const [sha256, type, mode, size, nlink, ...path] = fields.split(' ') as [
        string,
        string,
        string,
        string,
        string,
      ];
      const kind = KINDS[type] as string;
      const expected = {
        kind,
        mode: Number.parseInt(mode, 8),
        size: kind === 'file' || kind === 'link' ? Number(size) : undefined,
        nlink: Number(nlink),
        sha256: kind === 'file' ? sha256 : undefined,
        target: target || undefined,
      };
      return [`/${path.join(' ')}`, expected] as const;
    }),
  );
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The whole image in the form of `expectedTree`, contents read by `read`. */
export async function actualTree(
  erofs: Erofs,
  entries: readonly ErofsEntry[],
): Promise<Map<string, Expected>> {
  const tree = new Map<string, Expected>();
  for (const { path, kind, mode, size, nlink, target } of entries) {
    tree.set(path, {
      kind,
      mode,
      size: kind === 'file' || kind === 'link' ? size : undefined,
      nlink,
      sha256: kind === 'file' ? digest(await erofs.read(path)) : undefined,
      target,
    });
  }
  return tree;
}
