/** Reads `length` bytes at `offset`, fewer at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

export interface GoModule {
  readonly path: string;
  /** Module version, "(devel)" for one that was built out of a work tree. */
  readonly version: string;
  /** `h1:` sum of the module's content, absent for the main module. */
  readonly sum?: string;
}

/** What the Go linker writes into every program (runtime/debug.BuildInfo). */
export interface GoBuildInfo {
  /** Toolchain: "go1.26.8". */
  readonly goVersion: string;
  /** Package path of the program; empty for one built without modules. */
  readonly path: string;
  readonly main?: GoModule;
  /** Modules in it, as they were built: a replaced module is its replacement, under the path that takes its place. */
  readonly modules: readonly GoModule[];
}

/** A file that says it holds Go build information which cannot be read. */
export class MalformedBuildInfo extends Error {}

// debug/buildinfo of the Go standard library: magic, pointer size, flags; then, since Go 1.18, two strings with their lengths.
const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const HEADER_BYTES = 32;
const ALIGNMENT = 16;
const FLAG_INLINE_STRINGS = 2;
/** The module text stands between two marks of 16 bytes (cmd/go/internal/modload, infoStart and infoEnd). */
const MARK_BYTES = 16;
const LIMITS = {
  text: 8 * 1024 * 1024,
  modules: 20_000,
  sections: 4096,
  segments: 512,
  searched: 64 * 1024 * 1024,
} as const;
// System V ABI, chapters 4 and 5.
const ELF = {
  ident: Buffer.from('\x7fELF\x02\x01', 'latin1'),
  headerBytes: 64,
  sectionBytes: 64,
  segmentBytes: 56,
};
const SECTION_NAME = '.go.buildinfo';
const PT_LOAD = 1;
const PF_W = 2;

/**
 * The build information in a 64-bit little-endian ELF file; undefined for a file that has none. The bytes are not trusted: every offset,
 * count and length is checked and limited. Throws MalformedBuildInfo for one that begins and cannot be read.
 */
export async function readGoBuildInfo(readAt: ReadAt): Promise<GoBuildInfo | undefined> {
  const header = Buffer.from(await readAt(0, ELF.headerBytes));
  if (header.length < ELF.headerBytes || !header.subarray(0, 6).equals(ELF.ident)) return undefined;
  const start = (await namedSection(readAt, header)) ?? (await searchedSegment(readAt, header));
  if (start === undefined) return undefined;
  const info = await bytesAt(readAt, start, HEADER_BYTES);
  if (((info[15] ?? 0) & FLAG_INLINE_STRINGS) === 0) {
    throw new MalformedBuildInfo('written by a Go older than 1.18');
  }
  const version = await inlineString(readAt, start + HEADER_BYTES);
  const text = await inlineString(readAt, version.end);
  return parse(version.text.toString('utf8'), text.text);
}

/** Where the section of that name begins, when it begins with the magic. */
async function namedSection(readAt: ReadAt, header: Buffer): Promise<number | undefined> {
  const table = offsetOf(header.readBigUInt64LE(40));
  const [size, count, names] = [header.readUInt16LE(58), header.readUInt16LE(60), header.readUInt16LE(62)];
  if (table === undefined || size !== ELF.sectionBytes || count > LIMITS.sections || names >= count)
    return undefined;
  const sections = Buffer.from(await readAt(table, count * size));
  if (sections.length !== count * size) return undefined; // Cut off or stripped: searched for instead.
  const field = (index: number, at: number) => sections.readBigUInt64LE(index * size + at);
  const namesAt = offsetOf(field(names, 24));
  if (namesAt === undefined) return undefined;
  for (let index = 0; index < count; index += 1) {
    const nameAt = namesAt + sections.readUInt32LE(index * size);
    const name = Buffer.from(await readAt(nameAt, SECTION_NAME.length + 1)).toString('latin1');
    if (name !== `${SECTION_NAME}\0`) continue;
    const offset = offsetOf(field(index, 24));
    if (offset !== undefined && Buffer.from(await readAt(offset, MAGIC.length)).equals(MAGIC)) return offset;
  }
  return undefined;
}

/** Where the magic stands in the first segment that can be written, as debug/buildinfo looks for it in programs without sections. */
async function searchedSegment(readAt: ReadAt, header: Buffer): Promise<number | undefined> {
  const table = offsetOf(header.readBigUInt64LE(32));
  const [size, count] = [header.readUInt16LE(54), header.readUInt16LE(56)];
  if (table === undefined || size !== ELF.segmentBytes || count > LIMITS.segments) return undefined;
  const segments = Buffer.from(await readAt(table, count * size));
  for (let at = 0; at + size <= segments.length; at += size) {
    if (segments.readUInt32LE(at) !== PT_LOAD || (segments.readUInt32LE(at + 4) & PF_W) === 0) continue;
    const offset = offsetOf(segments.readBigUInt64LE(at + 8));
    const length = offsetOf(segments.readBigUInt64LE(at + 32));
    if (offset === undefined || length === undefined) return undefined;
    const bytes = Buffer.from(await readAt(offset, Math.min(length, LIMITS.searched)));
    for (let found = bytes.indexOf(MAGIC); found >= 0; found = bytes.indexOf(MAGIC, found + 1)) {
      if (found % ALIGNMENT === 0) return offset + found;
    }
    return undefined;
  }
  return undefined;
}

/** A string behind its length as an unsigned varint (encoding/binary). */
async function inlineString(
  readAt: ReadAt,
  at: number,
): Promise<{ readonly text: Buffer; readonly end: number }> {
  const prefix = Buffer.from(await readAt(at, 10));
  let length = 0;
  let used = 0;
  for (;;) {
    const byte = prefix[used];
    if (byte === undefined) throw new MalformedBuildInfo('a length without an end');
    length += (byte & 0x7f) * 2 ** (7 * used);
    used += 1;
    if (byte < 0x80) break;
  }
  if (length > LIMITS.text) throw new MalformedBuildInfo(`a text of ${length} bytes`);
  return { text: await bytesAt(readAt, at + used, length), end: at + used + length };
}

/** Lines of tab-separated words: path, mod, dep, =>, build (runtime/debug.ParseBuildInfo). */
function parse(goVersion: string, marked: Buffer): GoBuildInfo {
  if (marked.length === 0) return { goVersion, path: '', modules: [] };
  if (marked.length < 2 * MARK_BYTES + 1 || marked[marked.length - MARK_BYTES - 1] !== 0x0a) {
    throw new MalformedBuildInfo('the list of modules has no end');
  }
  const text = marked.toString('utf8', MARK_BYTES, marked.length - MARK_BYTES);
  let path = '';
  let main: GoModule | undefined;
  const modules: GoModule[] = [];
  let last: 'main' | 'dep' | undefined;
  for (const line of text.split('\n')) {
    const [kind, ...words] = line.split('\t');
    if (kind === 'path') path = words[0] ?? '';
    else if (kind === 'mod') {
      main = moduleOf(words);
      last = 'main';
    } else if (kind === 'dep') {
      if (modules.length >= LIMITS.modules) throw new MalformedBuildInfo('too many modules');
      modules.push(moduleOf(words));
      last = 'dep';
    } else if (kind === '=>') {
      if (last === 'dep') modules.push(replacement(modules.pop(), moduleOf(words)));
      else if (last === 'main') main = replacement(main, moduleOf(words));
      else throw new MalformedBuildInfo('a replacement of nothing');
      last = undefined;
    }
  }
  return { goVersion, path, ...(main === undefined ? {} : { main }), modules };
}

/** What takes a module's place; a folder on the build machine says no more than that, the path that is replaced does. */
function replacement(replaced: GoModule | undefined, by: GoModule): GoModule {
  return /^[./]/.test(by.path) ? { path: replaced?.path ?? by.path, version: by.version || '(devel)' } : by;
}

function moduleOf([path = '', version = '', sum = '']: readonly string[]): GoModule {
  if (!/^[\w./~!+-]{1,500}$/.test(path) || !/^[\w.+~()-]{0,200}$/.test(version)) {
    throw new MalformedBuildInfo('a line that names no module');
  }
  return { path, version, ...(sum === '' ? {} : { sum }) };
}

async function bytesAt(readAt: ReadAt, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.from(await readAt(offset, length));
  if (bytes.length !== length) throw new MalformedBuildInfo('ends behind the end of the file');
  return bytes;
}

/** A file offset or size; undefined for one that no file has. */
function offsetOf(value: bigint): number | undefined {
  return value <= BigInt(2 ** 48) ? Number(value) : undefined;
}
