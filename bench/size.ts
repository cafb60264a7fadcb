// Size of a release's image in each compression, beside squashfs images of the same tree as Flatcar's sysext-bakery makes them (lib/generate.sh:
// mksquashfs -all-root -noappend, its default gzip) and with zstd; and how long decoding all of it takes in user space.
//   node bench/run.mjs bench/size.ts [RELEASE]     (default: dist, for amd64; make tools, squashfs-tools)
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { writeImage } from '../src/image/index.ts';
import type { Compression } from '../src/image/types.ts';
import { readRelease } from '../src/release/read.ts';
import { bytesText, silent } from '../src/support/progress.ts';
import { run } from '../src/support/subprocess.ts';
import { erofsTool } from '../test/image/erofs/tools.ts';

const ROUNDS = 3;
const folder = process.argv[2] ?? 'dist';
const release = await readRelease(folder);
const image = release.images.find(({ architecture }) => architecture === 'amd64') ?? release.images[0];
const root = image?.partitions.find(({ designator }) => designator === 'root');
if (image === undefined || root === undefined) throw new Error(`${folder}: no image with a root partition`);

const work = mkdtempSync(join(process.env.TMPDIR ?? '/tmp', 'sextant-size-'));
try {
  const tree = join(work, 'tree');
  await extract(await carve(join(folder, image.file), root), tree);
  const { stdout } = await run('du', ['-s', '--apparent-size', '--block-size=1', tree]);
  const bytes = Number(stdout.toString().split('\t')[0]);
  console.log(`${image.file}: a tree of ${bytesText(bytes)}`);

  const sizes: [string, number, number?][] = [];
  for (const [compression, clusterSize] of [
    ['none', 65536],
    ['lz4', 65536],
    ['lz4hc', 65536],
    ['zstd', 65536],
  ] as const satisfies readonly [Compression, number][]) {
    const output = join(work, `${compression}.raw`);
    const made = await writeImage({
      tree,
      output,
      extensionName: release.name,
      architecture: image.architecture,
      compression,
      clusterSize,
      seed: 'bench',
      timestamp: 315532800,
      mkfs: erofsTool('mkfs.erofs'),
      context: { cache: work, progress: silent, signal: new AbortController().signal },
    });
    const part = made.partitions.find(({ designator }) => designator === 'root');
    if (part === undefined) throw new Error(`${compression}: no root partition`);
    const carved = await carve(output, part);
    const seconds = await median((round) => extract(carved, join(work, `out-${round}`)));
    sizes.push([`ours, ${compression}`, made.size, seconds]);
    rmSync(output);
  }
  for (const comp of ['gzip', 'zstd']) {
    const output = join(work, `${comp}.squashfs`);
    await run(
      'mksquashfs',
      [tree, output, '-comp', comp, '-all-root', '-noappend', '-quiet', '-no-progress'],
      {
        missingHint: 'apt-get install -y squashfs-tools',
        timeoutSeconds: 3600,
      },
    );
    const seconds = await median(async (round) => {
      await run('unsquashfs', [
        '-quiet',
        '-no-progress',
        '-processors',
        '1',
        '-dest',
        join(work, `out-${round}`),
        output,
      ]);
    });
    sizes.push([
      `squashfs, ${comp}${comp === 'gzip' ? ' (sysext-bakery)' : ''}`,
      statSync(output).size,
      seconds,
    ]);
  }
  const peer = sizes.find(([name]) => name === 'squashfs, zstd')?.[1] ?? Number.NaN;
  for (const [name, size, seconds] of sizes) {
    const figures = [
      bytesText(size),
      `${(size / peer).toFixed(2)} of squashfs/zstd`,
      `decoded in ${seconds?.toFixed(2)} s`,
    ];
    console.log(`  ${name.padEnd(32)} ${figures.join('  ')}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The file system alone, without table, hash tree and signature. */
async function carve(
  file: string,
  part: { readonly offset: number; readonly size: number },
): Promise<string> {
  const to = join(work, 'root.erofs');
  const handle = await open(file, 'r');
  try {
    const target = await open(to, 'w');
    try {
      for (let at = 0; at < part.size; at += 16 * 1024 * 1024) {
        const piece = Buffer.alloc(Math.min(16 * 1024 * 1024, part.size - at));
        await handle.read(piece, 0, piece.length, part.offset + at);
        await target.write(piece);
      }
    } finally {
      await target.close();
    }
  } finally {
    await handle.close();
  }
  return to;
}

async function extract(image: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  const [program = '', ...args] = erofsTool('fsck.erofs');
  await run(program, [...args, `--extract=${to}`, '--overwrite', image], { timeoutSeconds: 3600 });
}

/** Median seconds of some runs, each into a folder of its own that is removed. */
async function median(task: (round: number) => Promise<void>): Promise<number> {
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await task(round);
    seconds.push((performance.now() - began) / 1000);
    rmSync(join(work, `out-${round}`), { recursive: true, force: true });
  }
  return seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? Number.NaN;
}
