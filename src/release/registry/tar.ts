import { createHash, type Hash } from 'node:crypto';
import { SextantError } from '../../support/errors.ts';
import { type Blob, readExactly } from './blob.ts';

// Tar archives (POSIX.1-1988 ustar headers), the same bytes for the same files whoever makes them: root's, a fixed time.
// kairos-agent up to v2.31 unpacks an image's layers into the folder of extensions; the file's name is the extension's there.

const BLOCK = 512;
/** Twelve octal digits less their end: 8 GiB. */
const LARGEST = 0o77777777777;
/** 1980-01-01, as everything in a release has without SOURCE_DATE_EPOCH. */
const TIME = 315532800;

/** Header block of a regular file. Throws `input` for a path or size that ustar cannot hold. */
export function tarHeader(path: string, size: number, mode = 0o644): Buffer {
  const { name, prefix } = tarName(path);
  if (size > LARGEST) {
    throw new SextantError('input', `${path}: ${size} bytes are more than a tar archive's header can say`, {
      hint: 'publish the raw form alone: --form raw',
    });
  }
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  header.write(name, 0, 'latin1');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(TIME, 136, 12);
  header.write(' '.repeat(8), 148, 'latin1'); // The checksum is made with spaces in its place.
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write('root', 265, 'latin1');
  header.write('root', 297, 'latin1');
  header.write(prefix, 345, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** A path as ustar splits it: 100 bytes of name, and before them a folder of up to 155. */
function tarName(path: string): { readonly name: string; readonly prefix: string } {
  const refuse = () =>
    new SextantError('input', `"${path}" cannot be the name of a file in a tar archive`, {
      hint: 'give it a shorter name of ASCII letters, digits and dashes',
    });
  if (
    !/^[\w.+~@,=:-]+(?:\/[\w.+~@,=:-]+)*$/.test(path) ||
    path.split('/').some((part) => /^\.\.?$/.test(part))
  )
    throw refuse();
  if (path.length <= 100) return { name: path, prefix: '' };
  const cut = path.indexOf('/', path.length - 101);
  if (cut < 1 || cut > 155) throw refuse();
  return { name: path.slice(cut + 1), prefix: path.slice(0, cut) };
}

/** Zeros to the end of a file's last block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The two blocks that end an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

/** Zeros to the end of the file's last block, then the two that end an archive. */
export function tarTrailer(size: number): Buffer {
  return Buffer.concat([tarPadding(size), tarEnd()]);
}

/** A hash that follows a file's bytes and gives the digest of the archive that holds it. */
export function tarHash(name: string, size: number): { readonly update: Hash['update']; digest(): string } {
  const hash = createHash('sha256').update(tarHeader(name, size));
  return {
    update: hash.update.bind(hash) as Hash['update'],
    digest: () => hash.update(tarTrailer(size)).digest('hex'),
  };
}

/** The archive of a file, made while it is read. `sha` is what `tarHash` gave for it. */
export function tarBlob(path: string, name: string, size: number, sha: string): Blob {
  const header = tarHeader(name, size);
  const trailer = tarTrailer(size);
  const end = BLOCK + size;
  return {
    digest: `sha256:${sha}`,
    size: end + trailer.length,
    name: `${name} in a tar archive`,
    async *read(from) {
      if (from < BLOCK) yield header.subarray(from);
      if (from < end) yield* readExactly(path, Math.max(0, from - BLOCK), size);
      if (from < end + trailer.length) yield trailer.subarray(Math.max(0, from - end));
    },
  };
}
