import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { SextantError } from '../../support/errors.ts';
import { type ArchiveFormat, decompress } from '../archive.ts';
import { unpackTar } from '../unpack-tar.ts';
import { readArMembers } from './ar.ts';

const FORMATS: Readonly<Record<string, ArchiveFormat>> = {
  'data.tar': 'tar',
  'data.tar.gz': 'gz',
  'data.tar.xz': 'xz',
  'data.tar.zst': 'zst',
};

/**
 * Unpacks the files of a Debian package (deb(5)) into `folder` as the root of a file system; its maintainer scripts are not looked
 * at. Owners are the caller's, modes the package's (set-uid included: whoever uses the files decides). Throws `input` for what is not such a package.
 */
export async function unpackDeb(
  file: string,
  folder: string,
  options: { readonly name?: string; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const name = options.name ?? basename(file);
  const handle = await open(file, 'r');
  try {
    const members = await readArMembers(handle, name);
    const data = members.find((member) => member.name.startsWith('data.tar'));
    const format = data && FORMATS[data.name];
    if (members[0]?.name !== 'debian-binary' || !data || !format) {
      const names = members.map((member) => member.name).join(', ');
      throw new SextantError('input', `${name}: not a Debian package that can be read (it holds ${names})`, {
        hint: 'packages with data.tar, plain or in gzip, xz or zstd, can be read',
      });
    }
    const { offset: start, size } = data;
    const bytes =
      size === 0
        ? []
        : handle.createReadStream({
            start,
            end: start + size - 1,
            autoClose: false,
            highWaterMark: 256 * 1024,
          });
    const stream = decompress(toAsync(bytes), format, options.signal);
    await unpackTar(stream, folder, { name, asRoot: true, signal: options.signal });
  } finally {
    await handle.close();
  }
}

async function* toAsync(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  yield* pieces;
}
