import { posix } from 'node:path';
import { SextantError } from '../support/errors.ts';
import { contentDigest } from './content.ts';
import type { Planned } from './plan.ts';

/**
 * Where in the tree the provider plug-in lies. Several copies are fine while they are the same; the first by path is used. Throws
 * `input` when there is none, when it is not executable, or when copies differ.
 */
export async function findPlugin(
  name: string,
  planned: readonly Planned[],
  signal?: AbortSignal,
): Promise<string> {
  const found = planned
    .filter(
      (entry) =>
        posix.basename(entry.path) === name && entry.kind !== 'folder' && entry.disposition !== 'factory',
    )
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = found.filter((entry) => entry.kind === 'file');
  const [first] = files;
  if (first === undefined) {
    throw new SextantError('input', `the extension has no provider plug-in named ${name}`, {
      hint: `let a component of the recipe put it in /usr/local/bin/${name}, or correct provider.plugin`,
    });
  }
  if (!(first.mode & 0o111)) {
    throw new SextantError('input', `the provider plug-in ${first.path} is not executable`, {
      hint: `give its file in the recipe mode: "0755"`,
    });
  }
  const digests = new Set(await Promise.all(files.map((entry) => contentDigest(entry, signal))));
  if (digests.size > 1) {
    const paths = files.map(({ path }) => path).join(' and ');
    throw new SextantError('input', `${paths} are different plug-ins of one name`, {
      hint: 'take only one of them',
    });
  }
  return first.path;
}
