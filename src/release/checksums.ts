import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { fileDigest } from '../support/files.ts';

/** Text of a SHA256SUMS file (sha256sum(1), binary mode mark left out), sorted by name. */
export function checksumsText(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, digest]) => `${digest}  ${name}\n`)
    .join('');
}

/**
 * Hashes every file that a release's SHA256SUMS lists. Throws `verification` naming the first file that is missing or differs,
 * `filesystem` when there is no SHA256SUMS.
 */
export async function verifyChecksums(folder: string, signal?: AbortSignal): Promise<number> {
  const lines = (await readFile(join(folder, 'SHA256SUMS'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '');
  for (const line of lines) {
    const match = /^([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (!match?.[1] || !match[2] || match[2].includes('/')) {
      throw new SextantError('verification', `${folder}/SHA256SUMS: malformed line: ${line.slice(0, 100)}`);
    }
    const [, expected, name] = match as unknown as [string, string, string];
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
  return lines.length;
}
