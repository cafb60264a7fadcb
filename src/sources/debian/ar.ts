import type { FileHandle } from 'node:fs/promises';
import { SextantError } from '../../support/errors.ts';

// ar(5): "!<arch>\n", then for each member a 60 byte header and its data, padded to an even length.
const MAGIC = '!<arch>\n';
const HEADER = { length: 60, name: [0, 16], size: [48, 10], end: [58, 2] } as const;

export interface ArMember {
  readonly name: string;
  /** Where its data begins in the file, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * The members of an ar archive such as a Debian package (deb(5)). `file` names it in errors. Throws `input` for anything malformed
 * or a member that reaches past the end.
 */
export async function readArMembers(handle: FileHandle, file: string): Promise<ArMember[]> {
  const malformed = (why: string) =>
    new SextantError('input', `${file}: not a Debian package (${why})`, {
      hint: 'remove the file and fetch it again',
    });
  const { size: length } = await handle.stat();
  const at = async (offset: number, size: number) => {
    if (offset + size > length) throw malformed('truncated');
    const piece = Buffer.alloc(size);
    await handle.read(piece, 0, size, offset);
    return piece.toString('latin1');
  };
  if (length < MAGIC.length || (await at(0, MAGIC.length)) !== MAGIC) throw malformed('no ar archive');
  const members: ArMember[] = [];
  for (let offset = MAGIC.length; offset < length; ) {
    const header = await at(offset, HEADER.length);
    const field = ([start, size]: readonly [number, number]) => header.slice(start, start + size);
    if (field(HEADER.end) !== '`\n') throw malformed('damaged member header');
    const digits = field(HEADER.size).trim();
    if (!/^\d+$/.test(digits)) throw malformed('damaged member size');
    const size = Number(digits);
    const name = field(HEADER.name).trim().replace(/\/$/, '');
    offset += HEADER.length;
    if (offset + size > length) throw malformed(`${name} reaches past the end`);
    members.push({ name, offset, size });
    offset += size + (size % 2);
  }
  return members;
}
