import { ARCHITECTURE_NAMES, type Architecture } from '../../src/support/architecture.ts';

export interface ElfOptions {
  readonly architecture?: Architecture;
  readonly machine?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly runpath?: string;
  /** Any text at the end, to tell files apart. */
  readonly content?: string;
}

/** A small but complete ELF-64 file: header, program headers, interpreter, dynamic section and its strings. Loads at address 0x1000. */
export function elf(options: ElfOptions = {}): Buffer {
  const machine = options.machine ?? ARCHITECTURE_NAMES[options.architecture ?? 'amd64'].elfMachine;
  const strings = [
    '',
    ...(options.needed ?? []),
    ...(options.runpath === undefined ? [] : [options.runpath]),
  ];
  const table = Buffer.from(`${strings.join('\0')}\0`, 'latin1');
  const offsetOf = (index: number) => strings.slice(0, index).reduce((sum, text) => sum + text.length + 1, 0);
  const dynamic = options.needed !== undefined || options.runpath !== undefined;
  const headers = 1 + (dynamic ? 1 : 0) + (options.interpreter === undefined ? 0 : 1);
  const stringsAt = 64 + headers * 56;
  const interpreter = Buffer.from(options.interpreter === undefined ? '' : `${options.interpreter}\0`);
  const interpreterAt = stringsAt + table.length;
  const dynamicAt = interpreterAt + interpreter.length;
  const tags: [number, number][] = [
    ...(options.needed ?? []).map((_, index): [number, number] => [1, offsetOf(index + 1)]),
    ...(options.runpath === undefined ? [] : [[29, offsetOf(strings.length - 1)] as [number, number]]),
    [5, 0x1000 + stringsAt],
    [10, table.length],
    [0, 0],
  ];
  const content = Buffer.from(options.content ?? '');
  const size = dynamicAt + (dynamic ? tags.length * 16 : 0);
  const file = Buffer.alloc(size);
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(headers, 56);
  let at = 64;
  const segment = (type: number, offset: number, length: number) => {
    file.writeUInt32LE(type, at);
    file.writeBigUInt64LE(BigInt(offset), at + 8);
    file.writeBigUInt64LE(BigInt(0x1000 + offset), at + 16);
    file.writeBigUInt64LE(BigInt(length), at + 32);
    file.writeBigUInt64LE(BigInt(length), at + 40);
    at += 56;
  };
  segment(1, 0, size);
  if (dynamic) segment(2, dynamicAt, tags.length * 16);
  if (options.interpreter !== undefined) segment(3, interpreterAt, interpreter.length);
  table.copy(file, stringsAt);
  interpreter.copy(file, interpreterAt);
  if (dynamic) {
    for (const [index, [tag, value]] of tags.entries()) {
      file.writeBigUInt64LE(BigInt(tag), dynamicAt + index * 16);
      file.writeBigUInt64LE(BigInt(value), dynamicAt + index * 16 + 8);
    }
  }
  return Buffer.concat([file, content]);
}
