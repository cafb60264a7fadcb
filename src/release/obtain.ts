import { copyFile, link, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { builtFolder } from '../sources/built.ts';
import { openStore } from '../sources/store.ts';
import type { Context } from '../support/context.ts';
import { SextantError } from '../support/errors.ts';
import { sha256 } from '../support/files.ts';
import { redact } from '../support/http.ts';
import { isAddress, isRegistryPlace } from './address.ts';
import { parseSums, SUMS } from './checksums.ts';
import { pullRelease } from './registry/release.ts';

/**
 * The folder of a release: a local one as it is, one at an address (of its folder or of its release.json) or in a registry fetched into the
 * cache, every file held against its SHA256SUMS. Throws `network` and `verification` naming the address, `input` for an address that holds no release.
 */
export async function releaseFrom(source: string, context: Context): Promise<string> {
  if (isRegistryPlace(source)) return (await pullRelease(source, context)).folder;
  if (!isAddress(source)) return resolve(source);
  const base = source.replace(/\/(release\.json)?$/, '');
  const store = await openStore({ ...context, mirrors: [], frozen: false });
  const address = (name: string) => `${base}/${encodeURIComponent(name)}`;
  const listed = await store.discover(address(SUMS));
  const text = await readFile(listed.path, 'utf8');
  const sums = parseSums(text, redact(address(SUMS)));
  if (!sums.has('release.json')) {
    throw new SextantError(
      'input',
      `${redact(base)}: there is no release here (its ${SUMS} lists no release.json)`,
      {
        hint: 'name the folder or the release.json of one that `sextant build` made',
      },
    );
  }
  return builtFolder(context, { kind: 'fetched-release', sums: sha256(text) }, async (folder) => {
    const place = (path: string, name: string) =>
      link(path, join(folder, name)).catch(() => copyFile(path, join(folder, name)));
    await Promise.all(
      [...sums].map(async ([name, digest]) => {
        const { path } = await store.discover(address(name), undefined, { sha256: digest });
        await place(path, name);
      }),
    );
    await place(listed.path, SUMS);
  });
}
