import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SextantError } from '../support/errors.ts';
import { filter } from '../support/filter.ts';
import { type UnpackOptions, unpackTar } from './unpack-tar.ts';

export { type UnpackOptions, unpackTar };

/** How the bytes of a tar archive are compressed. */
export type ArchiveFormat = 'tar' | 'gz' | 'xz' | 'zst';

const PIECE = 256 * 1024;
const ARCHIVE_NAME = /\.(?:tar|tgz|txz|tzst|tar\.(?:gz|xz|zst))$/i;

/** Whether a file name says that it is a tar archive that `unpackArchive` takes. */
export function isArchiveName(name: string): boolean {
  return ARCHIVE_NAME.test(name);
}

/**
 * Unpacks a tar archive (plain, gzip, xz or zstd) into `folder`, streamed; see `unpackTar` for what is refused. The compression is
 * read from the first bytes unless given. Throws `input` for what is not such an archive or damaged, `tool` when xz or zstd is
 * needed and missing.
 */
export async function unpackArchive(
  file: string,
  folder: string,
  options: UnpackOptions & { readonly format?: ArchiveFormat } = {},
): Promise<void> {
  const name = options.name ?? basename(file);
  const format = options.format ?? (await archiveFormat(file, name));
  const bytes = createReadStream(file, { highWaterMark: PIECE });
  try {
    await unpackTar(decompress(bytes, format, options.signal), folder, { ...options, name });
  } catch (error) {
    throw named(name, error);
  } finally {
    bytes.destroy();
  }
}

/** Decompresses a stream; gzip here, xz and zstd by the programs of these names. */
export async function* decompress(
  stream: AsyncIterable<Uint8Array>,
  format: ArchiveFormat,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (format === 'tar') {
    yield* stream;
  } else if (format === 'gz') {
    const gunzip = createGunzip({ chunkSize: PIECE });
    pipeline(stream, gunzip, () => {}); // A failure of either side surfaces where gunzip is read.
    try {
      yield* gunzip;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!code?.startsWith('Z_')) throw error;
      throw new SextantError('input', `damaged gzip data: ${(error as Error).message}`, { cause: error });
    }
  } else {
    const program = format === 'xz' ? 'xz' : 'zstd';
    const args = format === 'xz' ? ['--decompress', '--stdout', '--quiet'] : ['-d', '-c', '-q', '--long=31'];
    yield* filter(program, args, stream, {
      signal,
      missingHint: `install it: apt-get install ${format === 'xz' ? 'xz-utils' : 'zstd'}`,
    });
  }
}

/** The compression of an archive by its first bytes (RFC 1952, the .xz file format 1.2, RFC 8878, ustar). */
export async function archiveFormat(file: string, name = basename(file)): Promise<ArchiveFormat> {
  const head = Buffer.alloc(512);
  const handle = await open(file, 'r');
  try {
    await handle.read(head, 0, head.length, 0);
  } finally {
    await handle.close();
  }
  const starts = (hex: string) => head.subarray(0, hex.length / 2).toString('hex') === hex;
  if (starts('1f8b')) return 'gz';
  if (starts('fd377a585a00')) return 'xz';
  if (starts('28b52ffd')) return 'zst';
  if (head.subarray(257, 262).toString('latin1') === 'ustar') return 'tar';
  throw new SextantError('input', `${name}: not a tar archive (plain, gzip, xz or zstd)`, {
    hint: starts('504b')
      ? 'it is a zip archive; use the tar archive of the same release'
      : 'check that the address or asset name is that of an archive',
  });
}

function named(name: string, error: unknown): unknown {
  if (!(error instanceof SextantError) || error.code === 'interrupted') return error;
  if (error.message.startsWith(`${name}: `)) return error;
  const damaged = error.code === 'tool' && error.message.includes('exit code');
  return new SextantError(damaged ? 'input' : error.code, `${name}: ${error.message}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.details === undefined ? {} : { details: error.details }),
    cause: error,
  });
}
