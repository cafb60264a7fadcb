import { hash as oneShot } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { HashPool } from './hash-pool.ts';
import { readAt } from './reader.ts';
import { BLOCK, type TreeLayout } from './verity.ts';

export interface TreeRequest {
  readonly pool: HashPool;
  readonly layout: TreeLayout;
  readonly salt: Buffer;
  /** The file with the data, and where it begins, bytes. */
  readonly data: { readonly file: FileHandle; readonly offset: number };
  /** The file with the hash partition, and where the partition begins, bytes. */
  readonly tree: { readonly file: FileHandle; readonly offset: number };
  /** `write` makes the tree, `compare` holds the one that is there against the data. */
  readonly mode: 'write' | 'compare';
  /** Moves the data into the tree's file at the same time, to this offset; its own file is shortened as it leaves. */
  readonly moveTo?: number;
  /** Bytes of data hashed so far. */
  readonly progress?: (bytes: number) => void;
}

export type TreeResult =
  | { readonly rootHash: string }
  /** A block that does not fit its hash: of the data at level 0, of the hashes below the level otherwise. */
  | { readonly level: number; readonly block: number };

/** Makes or compares the dm-verity hash tree level by level; each level is in the file before the next, so memory does not grow with it. */
export async function hashTree(request: TreeRequest): Promise<TreeResult> {
  const { pool, layout, salt, data, tree, mode, moveTo } = request;
  let source = { file: data.file, offset: data.offset, blocks: layout.dataBlocks };
  for (const [index, level] of layout.levels.entries()) {
    const to = tree.offset + level.first * BLOCK;
    const block = await pool.level(
      {
        mode,
        salt,
        source: source.file.fd,
        from: source.offset,
        blocks: source.blocks,
        target: tree.file.fd,
        to,
        ...(index === 0 && moveTo !== undefined ? { move: { target: tree.file.fd, to: moveTo } } : {}),
      },
      index === 0 ? request.progress : undefined,
    );
    if (block !== undefined) return { level: index, block };
    source = { file: tree.file, offset: to, blocks: level.blocks };
  }
  const top = await readAt(source.file, source.offset, BLOCK);
  return { rootHash: oneShot('sha256', Buffer.concat([salt, top]), 'hex') };
}
