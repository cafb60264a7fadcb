/** Reads `length` bytes at `offset`, fewer at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

export interface Elf {
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** `e_machine`: 62 x86-64, 183 AArch64, 247 BPF. */
  readonly machine: number;
  readonly type: 'relocatable' | 'executable' | 'shared' | 'core' | 'other';
  /** Program interpreter (PT_INTERP), present in dynamically linked programs. */
  readonly interpreter?: string;
  /** DT_NEEDED, in order. */
  readonly needed: readonly string[];
  /** DT_RUNPATH or DT_RPATH, split at colons. */
  readonly runpath: readonly string[];
  /** DT_SONAME of a library. */
  readonly soname?: string;
}

/** A file that begins as ELF but cannot be read as such. */
export class MalformedElf extends Error {}

const LIMITS = { programHeaders: 512, dynamicBytes: 1 << 20, stringBytes: 4096, entries: 4096 } as const;
const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3 } as const;
const DT = { NEEDED: 1n, STRTAB: 5n, STRSZ: 10n, SONAME: 14n, RPATH: 15n, RUNPATH: 29n } as const;
const TYPES: readonly Elf['type'][] = ['other', 'relocatable', 'executable', 'shared', 'core'];

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
}

/** True where a file begins with the ELF magic number. */
export function isElf(start: Uint8Array): boolean {
  return (
    start.length >= 4 && start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46
  );
}

/**
 * Reads the header, program headers and dynamic section of an ELF file (System V ABI, chapters 4 and 5; ELF-64 object file
 * format). Only 64-bit little-endian files are read beyond the header: Kairos runs on nothing else. The bytes are not trusted:
 * every offset and count is checked and limited. Throws MalformedElf.
 */
export async function readElf(readAt: ReadAt, fileSize: number): Promise<Elf> {
  const header = view(await readAt(0, 64));
  if (header.byteLength < 20 || !isElf(bytesOf(header))) throw new MalformedElf('no ELF header');
  const elfClass = header.getUint8(4);
  const data = header.getUint8(5);
  if (elfClass !== 1 && elfClass !== 2) throw new MalformedElf(`class ${elfClass} does not exist`);
  if (data !== 1 && data !== 2) throw new MalformedElf(`byte order ${data} does not exist`);
  const little = data === 1;
  const type = TYPES[header.getUint16(16, little)] ?? 'other';
  const machine = header.getUint16(18, little);
  const basics = { bits: elfClass === 2 ? 64 : 32, machine, type } as const;
  if (elfClass === 1 || !little || type === 'relocatable' || type === 'core') {
    return { ...basics, needed: [], runpath: [] };
  }
  if (header.byteLength < 64) throw new MalformedElf('the header is cut off');
  const segments = await readSegments(readAt, header, fileSize);
  const interpreter = await readInterpreter(readAt, segments);
  const dynamic = await readDynamic(readAt, segments);
  return { ...basics, ...(interpreter === undefined ? {} : { interpreter }), ...dynamic };
}

async function readSegments(readAt: ReadAt, header: DataView, fileSize: number): Promise<Segment[]> {
  const offset = safeNumber(header.getBigUint64(32, true));
  const entrySize = header.getUint16(54, true);
  const count = header.getUint16(56, true);
  if (count === 0) return [];
  if (entrySize !== 56) throw new MalformedElf(`program headers of ${entrySize} bytes`);
  if (count > LIMITS.programHeaders) throw new MalformedElf(`${count} program headers`);
  const table = await exactly(readAt, offset, count * entrySize, 'the program headers');
  return Array.from({ length: count }, (_, index) => {
    const at = index * entrySize;
    const segment = {
      type: table.getUint32(at, true),
      offset: safeNumber(table.getBigUint64(at + 8, true)),
      address: table.getBigUint64(at + 16, true),
      fileSize: safeNumber(table.getBigUint64(at + 32, true)),
    };
    const used = segment.type === PT.LOAD || segment.type === PT.DYNAMIC || segment.type === PT.INTERP;
    if (used && segment.offset + segment.fileSize > fileSize) {
      throw new MalformedElf('a segment ends behind the end of the file');
    }
    return segment;
  });
}

async function readInterpreter(readAt: ReadAt, segments: readonly Segment[]): Promise<string | undefined> {
  const segment = segments.find((candidate) => candidate.type === PT.INTERP);
  if (!segment) return undefined;
  if (segment.fileSize > LIMITS.stringBytes) throw new MalformedElf('the interpreter has no end');
  const bytes = await exactly(readAt, segment.offset, segment.fileSize, 'the interpreter');
  return text(bytesOf(bytes), 0);
}

async function readDynamic(
  readAt: ReadAt,
  segments: readonly Segment[],
): Promise<Pick<Elf, 'needed' | 'runpath' | 'soname'>> {
  const segment = segments.find((candidate) => candidate.type === PT.DYNAMIC);
  if (!segment || segment.fileSize === 0) return { needed: [], runpath: [] };
  if (segment.fileSize > LIMITS.dynamicBytes) throw new MalformedElf('the dynamic section is too large');
  const table = await exactly(readAt, segment.offset, segment.fileSize, 'the dynamic section');
  const entries: [bigint, bigint][] = [];
  for (let at = 0; at + 16 <= table.byteLength && entries.length < LIMITS.entries; at += 16) {
    const tag = table.getBigUint64(at, true);
    if (tag === 0n) break;
    entries.push([tag, table.getBigUint64(at + 8, true)]);
  }
  const value = (tag: bigint) => entries.find(([found]) => found === tag)?.[1];
  const wanted = entries.filter(
    ([tag]) => tag === DT.NEEDED || tag === DT.SONAME || tag === DT.RPATH || tag === DT.RUNPATH,
  );
  if (wanted.length === 0) return { needed: [], runpath: [] };
  const address = value(DT.STRTAB);
  const size = safeNumber(value(DT.STRSZ) ?? 0n);
  if (address === undefined) throw new MalformedElf('names without a string table');
  const start = fileOffset(segments, address);
  const name = async (at: bigint): Promise<string> => {
    const offset = safeNumber(at);
    if (offset >= size) throw new MalformedElf('a name lies outside the string table');
    return text(await readAt(start + offset, Math.min(size - offset, LIMITS.stringBytes)), 0);
  };
  const names = (tag: bigint) =>
    Promise.all(wanted.filter(([found]) => found === tag).map(([, at]) => name(at)));
  const [needed, sonames, rpaths, runpaths] = await Promise.all([
    names(DT.NEEDED),
    names(DT.SONAME),
    names(DT.RPATH),
    names(DT.RUNPATH),
  ]);
  // The dynamic linker ignores DT_RPATH where there is a DT_RUNPATH (ld.so(8)).
  const runpath = (runpaths.length > 0 ? runpaths : rpaths).flatMap((list) =>
    list.split(':').filter((folder) => folder !== ''),
  );
  return { needed, runpath, ...(sonames[0] === undefined ? {} : { soname: sonames[0] }) };
}

/** Where in the file the byte at a virtual address lies. */
function fileOffset(segments: readonly Segment[], address: bigint): number {
  for (const segment of segments) {
    if (segment.type !== PT.LOAD || address < segment.address) continue;
    const inside = address - segment.address;
    if (inside < BigInt(segment.fileSize)) return segment.offset + Number(inside);
  }
  throw new MalformedElf('the string table is in no segment');
}

async function exactly(readAt: ReadAt, offset: number, length: number, what: string): Promise<DataView> {
  const bytes = await readAt(offset, length);
  if (bytes.length !== length) throw new MalformedElf(`${what} end behind the end of the file`);
  return view(bytes);
}

function text(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start);
  if (end < 0) throw new MalformedElf('a name has no end');
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

function safeNumber(value: bigint): number {
  if (value > BigInt(2 ** 52)) throw new MalformedElf('an offset is larger than any file');
  return Number(value);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(data: DataView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
