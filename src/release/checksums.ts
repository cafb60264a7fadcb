import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { fileDigest } from '../support/files.ts';

/** Name of the file with the digests of all others of a release. */
export const SUMS = 'SHA256SUMS';

/** Text of a SHA256SUMS file (sha256sum(1), binary mode mark left out), sorted by name. */
export function checksumsText(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, digest]) => `${digest}  ${name}\n`)
    .join('');
}

/** SHA-256 by file name of a SHA256SUMS file. Throws `verification` for what is not one, or names anything outside its folder. */
export function parseSums(text: string, where: string): ReadonlyMap<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, digest, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (digest === undefined || name === undefined || name.includes('/') || /^\.\.?$/.test(name)) {
      throw new SextantError('verification', `${where}: malformed line: ${line.slice(0, 100)}`);
    }
    sums.set(name, digest);
  }
  return sums;
}

/**
 * Hashes every file that a release's SHA256SUMS lists. Throws `verification` naming the first file that is missing or differs,
 * `filesystem` when there is no SHA256SUMS.
 */
export async function verifyChecksums(folder: string, signal?: AbortSignal): Promise<number> {
  return (await checkedSums(folder, signal)).size;
}

/** The same, with the sums: SHA-256 by file name. */
export async function checkedSums(
  folder: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const file = join(folder, SUMS);
  const sums = parseSums(await readFile(file, 'utf8'), file);
  for (const [name, expected] of sums) {
    const found = await fileDigest(join(folder, name), signal).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new SextantError('verification', `${folder}/${name}: is missing, SHA256SUMS lists it`, {
        hint: 'build the release again',
      });
    });
    if (found.sha256 !== expected) {
      throw new SextantError(
        'verification',
        `${folder}/${name}: SHA-256 is ${found.sha256}, SHA256SUMS says ${expected}`,
        {
          hint: 'the file was changed after the build; build the release again',
        },
      );
    }
  }
  return sums;
}
