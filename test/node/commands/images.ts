import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../../src/support/progress.ts';
import { dataBlocks, seal } from '../../image/fixture.ts';

export interface RealImage {
  readonly bytes: Buffer;
  readonly rootHash: string;
}

/** Two images as `sextant build` writes them, around bytes that stand where a file system would. */
export async function realImages(): Promise<readonly [RealImage, RealImage]> {
  const folder = mkdtempSync(join(tmpdir(), 'sextant-images-'));
  try {
    const make = async (blocks: number): Promise<RealImage> => {
      const path = join(folder, `${blocks}.raw`);
      const context = { cache: folder, progress: silent, signal: new AbortController().signal };
      const { rootHash } = await seal(path, dataBlocks(blocks), context);
      return { bytes: readFileSync(path), rootHash };
    };
    return [await make(3), await make(4)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
