/** A number as a Go varint (encoding/binary, PutUvarint). */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const text = (value: string | Buffer) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.length), bytes]);
};

export interface GoElf {
  readonly goVersion?: string;
  /** Lines as the linker writes them, tabs between the words. */
  readonly lines?: readonly string[];
  /** Leaves out the section headers, as a stripped program has none. */
  readonly stripped?: boolean;
  readonly flags?: number;
}

/** Where `.go.buildinfo` begins in the files made here. */
export const INFO_AT = 0x200;

/** The smallest ELF-64 file that holds Go build information: one writable segment, and sections unless stripped. */
export function goElf({
  goVersion = 'go1.26.8',
  lines = [],
  stripped = false,
  flags = 2,
}: GoElf = {}): Buffer {
  const header = Buffer.alloc(32);
  header.write('\xff Go buildinf:', 'latin1');
  header[14] = 8;
  header[15] = flags;
  const mark = Buffer.alloc(16, 0xf9);
  const modules =
    lines.length === 0 ? Buffer.alloc(0) : Buffer.concat([mark, Buffer.from(`${lines.join('\n')}\n`), mark]);
  const info = Buffer.concat([header, text(goVersion), text(modules)]);
  const names = Buffer.from('\0.shstrtab\0.go.buildinfo\0', 'latin1');
  const namesAt = INFO_AT + info.length;
  const sectionsAt = namesAt + names.length;
  const file = Buffer.alloc(sectionsAt + (stripped ? 0 : 3 * 64));
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(6, 68); // readable, writable
  file.writeBigUInt64LE(0x100n, 72);
  file.writeBigUInt64LE(BigInt(namesAt - 0x100), 96);
  info.copy(file, INFO_AT);
  names.copy(file, namesAt);
  if (stripped) return file;
  file.writeBigUInt64LE(BigInt(sectionsAt), 40);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(3, 60);
  file.writeUInt16LE(1, 62);
  const section = (index: number, name: number, offset: number, size: number) => {
    file.writeUInt32LE(name, sectionsAt + index * 64);
    file.writeBigUInt64LE(BigInt(offset), sectionsAt + index * 64 + 24);
    file.writeBigUInt64LE(BigInt(size), sectionsAt + index * 64 + 32);
  };
  section(1, 1, namesAt, names.length);
  section(2, 11, INFO_AT, info.length);
  return file;
}
