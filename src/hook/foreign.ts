import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ARCHITECTURE_NAMES, type Architecture } from '../support/architecture.ts';

/** How programs of a foreign architecture run in the sandbox. */
export type ForeignMode =
  /** A rule of the sandbox's own binfmt_misc: every program, by any path. Linux 6.7 or newer, in a user namespace. */
  | 'private'
  /** A rule that the machine already has, with the emulator held open (flag F): every program, by any path. */
  | 'host'
  /** A wrapper around the plug-in, and after `install` around each foreign program that the hook laid down. */
  | 'wrappers';

const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
const MACHINE_OFFSET = 18;

/**
 * The rule that makes the kernel run `architecture`'s ELF programs with an emulator: magic and mask of a 64-bit little-endian ELF header
 * of type EXEC or DYN for that machine. Flags: F opens the emulator now, so that it is found whatever the root is; P keeps argv[0], which
 * multi-call programs look at. Documentation/admin-guide/binfmt-misc.rst.
 */
export function binfmtRule(architecture: Architecture, emulator: string): string {
  const machine = ARCHITECTURE_NAMES[architecture].elfMachine;
  const magic = Buffer.alloc(20);
  ELF_MAGIC.copy(magic);
  magic.writeUInt16LE(2, 16);
  magic.writeUInt16LE(machine, MACHINE_OFFSET);
  const mask = Buffer.alloc(20, 0xff);
  mask[7] = 0; // OS ABI
  mask[16] = 0xfe; // EXEC (2) or DYN (3)
  const escaped = (bytes: Buffer) =>
    [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return `:sextant:M::${escaped(magic)}:${escaped(mask)}:${emulator}:PF`;
}

/** True when an entry of binfmt_misc runs `architecture`'s programs, also below another root. */
export function isUsableEntry(entry: string, architecture: Architecture): boolean {
  const field = (name: string) => new RegExp(`^${name}:? (.*)$`, 'm').exec(entry)?.[1] ?? '';
  const machine = ARCHITECTURE_NAMES[architecture].elfMachine.toString(16).padStart(2, '0');
  return (
    entry.startsWith('enabled\n') &&
    field('flags').includes('F') &&
    field('offset') === '0' &&
    new RegExp(`^7f454c460201.{20}0[23]00${machine}00$`).test(field('magic'))
  );
}

/** Whether the machine itself has a usable rule (qemu-user-static and qemu-user-binfmt install one). */
export async function hostRunsForeign(
  architecture: Architecture,
  folder = '/proc/sys/fs/binfmt_misc',
): Promise<boolean> {
  try {
    for (const name of await readdir(folder)) {
      if (name === 'register' || name === 'status') continue;
      if (isUsableEntry(await readFile(join(folder, name), 'utf8'), architecture)) return true;
    }
  } catch {
    // Not mounted, or not readable: then it is of no use either.
  }
  return false;
}

/** True for an ELF program of the architecture. */
export async function isProgramFor(path: string, architecture: Architecture): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const header = Buffer.alloc(20);
    const { bytesRead } = await file.read(header, 0, header.length, 0);
    return (
      bytesRead === header.length &&
      header.subarray(0, 6).equals(ELF_MAGIC.subarray(0, 6)) &&
      header.readUInt16LE(MACHINE_OFFSET) === ARCHITECTURE_NAMES[architecture].elfMachine
    );
  } finally {
    await file.close();
  }
}

/** A shell script that runs `program` with the emulator, under the name it was called by. */
export function wrapperScript(emulator: string, program: string): string {
  return `#!/bin/sh\n# Written by sextant: ${program} is of another architecture.\nexec ${emulator} -0 "$0" ${program} "$@"\n`;
}
