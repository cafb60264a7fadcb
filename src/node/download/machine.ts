import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import type { Architecture } from './release.ts';

/** e_machine of an ELF header (System V ABI, offset 18): EM_X86_64 and EM_AARCH64. */
const MACHINES: Readonly<Record<number, Architecture>> = { 62: 'amd64', 183: 'arm64' };

/** The architecture this very program was compiled for, which is the machine's. */
export function architectureOf(host: Host, program = '/proc/self/exe'): Architecture {
  const header = host.readBytes(program, 0, 20);
  const machine = header && header.length === 20 ? new DataView(header.buffer).getUint16(18, true) : 0;
  const architecture = MACHINES[machine];
  if (architecture) return architecture;
  throw new Failure('refused', `${program}: machine ${machine} is neither amd64 nor arm64`);
}
