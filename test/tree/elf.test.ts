import { open } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARCHITECTURE_NAMES, hostArchitecture } from '../../src/support/architecture.ts';
import { type Elf, MalformedElf, readElf } from '../../src/tree/elf.ts';
import { elf } from './elf-builder.ts';

const reader = (bytes: Uint8Array) => (offset: number, length: number) =>
  Promise.resolve(bytes.subarray(offset, offset + length));
const read = (bytes: Uint8Array): Promise<Elf> => readElf(reader(bytes), bytes.length);

describe('the ELF reader', () => {
  it('reads the interpreter, the needed libraries and the runpath of a dynamic program', async () => {
    const bytes = elf({
      architecture: 'arm64',
      interpreter: '/lib/ld-linux-aarch64.so.1',
      needed: ['libc.so.6', 'libseccomp.so.2'],
      runpath: '$ORIGIN/../lib:/opt/x',
    });
    expect(await read(bytes)).toEqual({
      bits: 64,
      machine: 183,
      type: 'executable',
      interpreter: '/lib/ld-linux-aarch64.so.1',
      needed: ['libc.so.6', 'libseccomp.so.2'],
      runpath: ['$ORIGIN/../lib', '/opt/x'],
    });
  });

  it('sees that a static program needs nothing', async () => {
    expect(await read(elf())).toEqual({ bits: 64, machine: 62, type: 'executable', needed: [], runpath: [] });
  });

  it('reads the program that runs this test', async () => {
    const file = await open(process.execPath);
    try {
      const { size } = await file.stat();
      const found = await readElf(async (offset, length) => {
        const buffer = Buffer.alloc(length);
        return buffer.subarray(0, (await file.read(buffer, 0, length, offset)).bytesRead);
      }, size);
      const host = hostArchitecture();
      expect(host && ARCHITECTURE_NAMES[host].elfMachine).toBe(found.machine);
      expect(found.interpreter).toMatch(/ld-/);
      expect(found.needed.some((name) => /^libc\.|^libc\.musl/.test(name))).toBe(true);
    } finally {
      await file.close();
    }
  });

  it('names the machine of 32-bit and big-endian files without reading further', async () => {
    const arm = Buffer.alloc(52);
    arm.write('\x7fELF\x01\x01\x01', 0, 'latin1');
    arm.writeUInt16LE(40, 18);
    expect(await read(arm)).toMatchObject({ bits: 32, machine: 40 });
    const s390 = Buffer.alloc(64);
    s390.write('\x7fELF\x02\x02\x01', 0, 'latin1');
    s390.writeUInt16BE(22, 18);
    expect(await read(s390)).toMatchObject({ bits: 64, machine: 22 });
  });

  it('refuses a file that is cut off anywhere in its headers', async () => {
    const whole = elf({ interpreter: '/lib64/ld-linux-x86-64.so.2', needed: ['libc.so.6'] });
    for (let length = 4; length < whole.length; length += 1) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrow(MalformedElf);
    }
  });

  it('answers or refuses any bytes, and never asks for more than a megabyte', async () => {
    const base = elf({ interpreter: '/lib64/ld-linux-x86-64.so.2', needed: ['libc.so.6'], runpath: '/x' });
    const edits = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(base.length), async (changes, cut) => {
        const bytes = Buffer.from(base);
        for (const [at, value] of changes) bytes[at] = value;
        const input = cut % 3 === 0 ? bytes.subarray(0, cut) : bytes;
        const readAt = (offset: number, length: number) => {
          expect(length).toBeLessThanOrEqual(1 << 20);
          expect(offset).toBeGreaterThanOrEqual(0);
          return reader(input)(offset, length);
        };
        await readElf(readAt, input.length).catch((error) => expect(error).toBeInstanceOf(MalformedElf));
      }),
      { numRuns: 2000 },
    );
  });
});
