import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { SextantError } from '../../support/errors.ts';

const LOADERS = [
  { multiarch: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  { multiarch: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
] as const;

const FOLDERS = ['usr/bin', 'usr/sbin', 'usr/local/bin'] as const;

/**
 * The command that runs `program` (a name, or a path in the root such as usr/bin/mkfs.erofs) of a materialized root on this host, whatever distribution the host is: a static program as it is, a
 * dynamic one through the root's own loader with the root's own libraries (ld.so(8)). Arguments are appended by the caller. Throws
 * `tool` when the root has no such program or it cannot be run so.
 */
export function toolCommand(root: string, program: string): [string, ...string[]] {
  const places = program.includes('/') ? [program] : FOLDERS.map((folder) => join(folder, program));
  const path = places.map((place) => join(root, place)).find((candidate) => existsSync(candidate));
  const unusable = (why: string, hint: string) => new SextantError('tool', `${program}: ${why}`, { hint });
  if (path === undefined) {
    throw unusable(`not among the packages in ${root}`, 'lock a package that has it with `sextant lock`');
  }
  if (!hasInterpreter(path)) return [path];
  for (const { multiarch, loader } of LOADERS) {
    const libraries = join(root, 'usr/lib', multiarch);
    const interpreter = join(libraries, loader);
    if (!existsSync(interpreter)) continue;
    if (/[:;]/.test(root)) {
      throw unusable(
        `cannot run from ${root}`,
        'set SEXTANT_CACHE to a folder without ":" or ";" in its path',
      );
    }
    const search = [libraries, join(libraries, 'systemd'), join(root, 'usr/lib')].join(':');
    return [interpreter, '--inhibit-cache', '--library-path', search, path];
  }
  throw unusable(`no dynamic loader in ${root}`, 'lock it with its dependencies by `sextant lock`');
}

// ELF-64 little endian (System V ABI, chapters 4 and 5): e_phoff at 32, e_phentsize at 54, e_phnum at 56; PT_INTERP is 3.
const ELF = { magic: 0x464c457f, phoff: 32, phentsize: 54, phnum: 56, interpreter: 3, header: 64 } as const;

/** Whether a program asks for a dynamic loader. False for static programs and for what is no ELF file. */
function hasInterpreter(path: string): boolean {
  const descriptor = openSync(path, 'r');
  try {
    const head = Buffer.alloc(4096);
    const length = readSync(descriptor, head, 0, head.length, 0);
    if (length < ELF.header || head.readUInt32LE(0) !== ELF.magic) return false;
    const start = Number(head.readBigUInt64LE(ELF.phoff));
    const entry = head.readUInt16LE(ELF.phentsize);
    for (let at = 0; at < head.readUInt16LE(ELF.phnum); at += 1) {
      const offset = start + at * entry;
      if (offset + 4 > length) break;
      if (head.readUInt32LE(offset) === ELF.interpreter) return true;
    }
    return false;
  } finally {
    closeSync(descriptor);
  }
}
