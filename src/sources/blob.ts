import { chmod, mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SextantError } from '../support/errors.ts';

/** Where a blob is kept: `<cache>/blobs/sha256/ab/<digest>`. */
export function blobPath(cache: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw new SextantError('input', `"${sha256}" is not a SHA-256 digest`, {
      hint: 'a digest is 64 lower-case hexadecimal digits; write the lock again with `sextant lock`',
    });
  }
  return join(cache, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
}

/** Moves a finished file, whose digest has been checked, to its place for good; resolves to that. */
export async function storeBlob(cache: string, from: string, sha256: string): Promise<string> {
  const path = blobPath(cache, sha256);
  await chmod(from, 0o444); // Trees link to blobs: nobody may write into one by accident.
  await mkdir(dirname(path), { recursive: true });
  await rename(from, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
  return path;
}

/** The error for bytes that are not what the lock or a checksum says. */
export function mismatch(
  text: string,
  expected: { readonly sha256: string; readonly size?: number },
  actual: {
    readonly sha256: string;
    readonly size: number;
    readonly tooLong?: boolean;
    readonly html?: boolean;
  },
): SextantError {
  const size = expected.size === undefined ? '' : ` (${expected.size} bytes)`;
  return new SextantError(
    'verification',
    `${text}: wrong content: expected sha256 ${expected.sha256}${size}, got sha256 ${actual.sha256} (${actual.size} bytes)`,
    {
      hint: actual.html
        ? 'the server answered with an HTML page instead of the file: a login, proxy or error page; open the address in a browser'
        : 'nothing was kept; if upstream replaced the file on purpose, write the lock again with `sextant lock`, else do not trust it',
    },
  );
}
