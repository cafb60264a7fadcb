import { SextantError } from '../../support/errors.ts';

/** The image contradicts the format, or asks for more than limits.ts grants. */
export function malformed(what: string, cause?: unknown): SextantError {
  return new SextantError('input', `malformed erofs: ${what}`, {
    hint: 'the image is damaged or was altered: check it with `sextant verify`, then build or download it again',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The image is sound as far as seen, but uses a feature that this reader has no code for. */
export function unsupported(feature: string): SextantError {
  return new SextantError('input', `erofs feature not supported by this reader: ${feature}`, {
    hint: 'extract the file system with `fsck.erofs --extract=FOLDER`, or make it again with mkfs.erofs and -zlz4hc, -zzstd or no compression',
  });
}

/** Runs `work`; an `input` error from it is said again with the path it happened at. */
export async function at<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withPath(path, error);
  }
}

export function withPath(path: string, error: unknown): unknown {
  if (!(error instanceof SextantError) || error.code !== 'input') return error;
  return new SextantError('input', `${path}: ${error.message}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error.cause ?? error,
  });
}
