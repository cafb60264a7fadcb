import { access, constants, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withTemporaryFolder } from '../../support/files.ts';
import { run } from '../../support/subprocess.ts';
import { QEMU_HINT } from './programs.ts';

export interface Accelerator {
  readonly name: 'kvm' | 'tcg';
  readonly why: string;
}

/** What the probe guest writes to the exit device; QEMU then ends with (value << 1) | 1. */
const PROBE_VALUE = 0x2a;
const PROBE_SECONDS = 10;

/**
 * A boot sector that enters protected mode, runs an instruction with a VEX prefix where the processor says it has one (machines that
 * emulate instead of running a guest stop there), and writes PROBE_VALUE to the exit device. Intel SDM volume 3A, section 10.9.1.
 */
export function probeSector(): Buffer {
  const sector = Buffer.alloc(512);
  const address = 0x7c00;
  const [table, pointer] = [0x40, 0x50];
  const code = [
    [0xfa], // cli
    [0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
    [0x0f, 0x01, 0x16, pointer, address >> 8], // lgdt [pointer]
    [0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], // mov eax, cr0; or al, 1; mov cr0, eax
    [0xea, 23, address >> 8, 0x08, 0x00], // jmp 8:next
    [0xb8, 0x07, 0x00, 0x00, 0x00, 0x31, 0xc9, 0x0f, 0xa2], // mov eax, 7; xor ecx, ecx; cpuid
    [0xf6, 0xc3, 0x08, 0x74, 0x05], // test bl, 8 (BMI1); jz past the next
    [0xc4, 0xe2, 0x70, 0xf2, 0xc2], // andn eax, ecx, edx
    [0xb0, PROBE_VALUE, 0xe6, 0xf4, 0xf4], // mov al, PROBE_VALUE; out 0xf4, al; hlt
  ].flat();
  Buffer.from(code).copy(sector);
  Buffer.from([0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0]).copy(sector, table + 8); // flat 32-bit code
  sector.writeUInt16LE(15, pointer);
  sector.writeUInt32LE(address + table, pointer + 2);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/**
 * KVM where a guest really runs with it, else emulation. That /dev/kvm opens is no proof (nested machines accept it and hang), so a
 * boot sector has to reach its end within seconds.
 */
export async function findAccelerator(signal: AbortSignal): Promise<Accelerator> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return { name: 'tcg', why: '/dev/kvm cannot be opened' };
  }
  return withTemporaryFolder(join(tmpdir(), 'sextant-probe'), async (folder) => {
    const disk = join(folder, 'probe.img');
    await writeFile(disk, probeSector());
    const expected = (PROBE_VALUE << 1) | 1;
    const args = [
      '-accel',
      'kvm',
      '-cpu',
      'host',
      '-smp',
      '2',
      '-m',
      '16',
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
    ];
    try {
      await run(
        'qemu-system-x86_64',
        [
          ...args,
          '-drive',
          `file=${disk},format=raw,if=ide`,
          '-device',
          'isa-debug-exit,iobase=0xf4,iosize=0x01',
        ],
        { timeoutSeconds: PROBE_SECONDS, okCodes: [expected], signal, missingHint: QEMU_HINT },
      );
      return { name: 'kvm', why: 'a probe guest ran' };
    } catch (error) {
      signal.throwIfAborted();
      const said = (error as Error).message.replace(/^qemu-system-x86_64 /, 'it ');
      return { name: 'tcg', why: `a probe guest does not run under KVM (${said})` };
    }
  });
}
