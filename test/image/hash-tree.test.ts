import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openHashPool } from '../../src/image/hash-pool.ts';
import { hashTree } from '../../src/image/hash-tree.ts';
import { treeLayout } from '../../src/image/verity.ts';

const work = mkdtempSync(join(tmpdir(), 'sextant-tree-'));
const never = new AbortController().signal;
const salt = Buffer.from('a salt of thirty-two bytes, so so');
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The tree by its definition: each level is the digests of the blocks below, padded to whole blocks; the topmost comes first. */
function byDefinition(data: Buffer): { tree: Buffer; rootHash: string } {
  const digest = (block: Buffer) => createHash('sha256').update(salt).update(block).digest();
  const blocksOf = (bytes: Buffer) =>
    Array.from({ length: bytes.length / 4096 }, (_, index) =>
      bytes.subarray(index * 4096, index * 4096 + 4096),
    );
  const levels: Buffer[] = [];
  let below = data;
  do {
    const digests = Buffer.concat(blocksOf(below).map(digest));
    below = Buffer.concat([digests, Buffer.alloc((4096 - (digests.length % 4096)) % 4096)]);
    levels.unshift(below);
  } while (below.length > 4096);
  return { tree: Buffer.concat(levels), rootHash: digest(below).toString('hex') };
}

async function files(name: string, data: Buffer) {
  const path = join(work, name);
  writeFileSync(path, data);
  return { data: await open(path, 'r+'), target: await open(`${path}.tree`, 'w+') };
}

// One block of hashes and one more; one task of a thread and one more; several threads' tasks; a third level.
test.each([2, 128, 129, 2048, 2049, 3 * 2048 + 77, 128 * 128 + 1])(
  'the tree over %i blocks is the one the definition gives, and the data arrives where it should',
  async (blocks) => {
    const content = Buffer.alloc(blocks * 4096, randomBytes(4099));
    const { data, target } = await files(`blocks-${blocks}`, content);
    const pool = openHashPool(never);
    try {
      const layout = treeLayout(blocks);
      const moveTo = layout.blocks * 4096;
      const seen: number[] = [];
      const result = await hashTree({
        pool,
        layout,
        salt,
        data: { file: data, offset: 0 },
        tree: { file: target, offset: 0 },
        mode: 'write',
        moveTo,
        progress: (bytes) => seen.push(bytes),
      });
      const { tree, rootHash } = byDefinition(content);
      expect(result).toEqual({ rootHash });
      const written = await target.readFile();
      expect(written.subarray(4096, moveTo).equals(tree)).toBe(true);
      expect(written.subarray(moveTo).equals(content)).toBe(true);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    } finally {
      await pool.close();
      await data.close();
      await target.close();
    }
  },
);

test('comparing names a block that does not fit, in the data and in the tree', async () => {
  const blocks = 5000;
  const { data, target } = await files('compare', Buffer.alloc(blocks * 4096, 'x'));
  const pool = openHashPool(never);
  const layout = treeLayout(blocks);
  const request = {
    pool,
    layout,
    salt,
    data: { file: data, offset: 0 },
    tree: { file: target, offset: 0 },
  };
  try {
    const written = await hashTree({ ...request, mode: 'write' });
    expect(await hashTree({ ...request, mode: 'compare' })).toEqual(written);
    await data.write(Buffer.from('y'), 0, 1, 4321 * 4096 + 17);
    expect(await hashTree({ ...request, mode: 'compare' })).toEqual({ level: 0, block: 4321 });
    await data.write(Buffer.from('x'), 0, 1, 4321 * 4096 + 17);
    // In the padding behind the last digest of the level over the data: no block of data is at fault, its block of hashes is.
    const [lowest] = layout.levels;
    await target.write(Buffer.from('!'), 0, 1, ((lowest?.first ?? 0) + (lowest?.blocks ?? 0)) * 4096 - 1);
    expect(await hashTree({ ...request, mode: 'compare' })).toEqual({ level: 0, block: blocks - 1 });
  } finally {
    await pool.close();
    await data.close();
    await target.close();
  }
});

test('a file that ends before its blocks do is one error, and the threads go on working', async () => {
  const { data, target } = await files('short', Buffer.alloc(100 * 4096));
  const pool = openHashPool(never);
  const request = { pool, salt, data: { file: data, offset: 0 }, tree: { file: target, offset: 0 } };
  try {
    await expect(hashTree({ ...request, layout: treeLayout(5000), mode: 'write' })).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('shorter'),
    });
    await pool.settle();
    await expect(hashTree({ ...request, layout: treeLayout(100), mode: 'write' })).resolves.toBeDefined();
  } finally {
    await pool.close();
    await data.close();
    await target.close();
  }
});

test('an interruption ends what is under way with its reason', async () => {
  const abort = new AbortController();
  const { data, target } = await files('interrupted', Buffer.alloc(20_000 * 4096));
  const pool = openHashPool(abort.signal);
  try {
    const running = hashTree({
      pool,
      salt,
      layout: treeLayout(20_000),
      data: { file: data, offset: 0 },
      tree: { file: target, offset: 0 },
      mode: 'write',
    });
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await pool.settle();
    expect(() => openHashPool(abort.signal)).toThrow('enough');
  } finally {
    await pool.close();
    await data.close();
    await target.close();
  }
});
