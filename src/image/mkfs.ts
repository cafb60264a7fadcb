import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { SextantError } from '../support/errors.ts';
import type { Step } from '../support/progress.ts';
import { run } from '../support/subprocess.ts';
import { derivedUuid } from './dps.ts';
import type { ImageRequest } from './types.ts';
import { BLOCK } from './verity.ts';

// The best levels of zstd on a large tree take tens of minutes on a small machine.
const TIME_LIMIT_SECONDS = 2 * 3600;
/** Each worker holds some segments of 16 MiB. */
const MAX_WORKERS = 8;

/** mkfs.erofs(1) with everything that could differ between two runs fixed. */
function mkfsArguments(request: ImageRequest, image: string): string[] {
  const { compression, level, clusterSize } = request;
  const compress =
    compression === 'none'
      ? []
      : [
          `-z${compression}${level === undefined ? '' : compression === 'zstd' ? `,level=${level}` : `,${level}`}`,
          `-C${clusterSize}`,
          // mkfs.erofs cuts files into segments of a fixed size, so their number does not show in the result; none at all would.
          `--workers=${Math.min(MAX_WORKERS, availableParallelism())}`,
        ];
  return [
    '--quiet',
    ...compress,
    `-b${BLOCK}`, // The default is the build host's page size.
    '-T',
    String(request.timestamp),
    '-U',
    derivedUuid(`sextant file system ${request.seed}`),
    '-x-1',
    '--all-root',
    image,
    request.tree,
  ];
}

/**
 * Makes the file system in a file of its own and resolves to its size in bytes. It is not made at its place in the image: mkfs.erofs
 * 1.8.6 with --offset puts the data of uncompressed files in the wrong place (its copy_file_range leaves the offset out).
 */
export async function makeFileSystem(request: ImageRequest, image: string, step: Step): Promise<number> {
  const [program, ...leading] = request.mkfs;
  if (program === undefined) throw new Error('no command for mkfs.erofs');
  const watch = setInterval(() => {
    stat(image).then(
      ({ size }) => step.update({ bytes: size }),
      () => {}, // Not there yet.
    );
  }, 250);
  try {
    await run(program, [...leading, ...mkfsArguments(request, image)], {
      signal: request.context.signal,
      timeoutSeconds: TIME_LIMIT_SECONDS,
    });
  } finally {
    clearInterval(watch);
  }
  const { size } = await stat(image);
  if (size < 2 * BLOCK || size % BLOCK !== 0) {
    throw new SextantError('tool', `${program}: wrote ${size} bytes where a file system was asked for`, {
      hint: 'an empty tree makes no extension; otherwise check which mkfs.erofs that is',
    });
  }
  return size;
}
