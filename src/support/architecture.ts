/** The processor architectures an extension is built for, by Debian's and Go's name. */
export type Architecture = 'amd64' | 'arm64';

export const ARCHITECTURES = ['amd64', 'arm64'] as const satisfies readonly Architecture[];

interface ArchitectureNames {
  /** `ARCHITECTURE=` of extension-release, systemd's name (os-release(5)). */
  readonly systemd: string;
  /** What `uname -m` prints. */
  readonly machine: string;
  /** `e_machine` of an ELF header (ELF specification). */
  readonly elfMachine: number;
  /** Name of QEMU's user mode emulator. */
  readonly qemu: string;
}

export const ARCHITECTURE_NAMES: Readonly<Record<Architecture, ArchitectureNames>> = {
  amd64: { systemd: 'x86-64', machine: 'x86_64', elfMachine: 62, qemu: 'qemu-x86_64' },
  arm64: { systemd: 'arm64', machine: 'aarch64', elfMachine: 183, qemu: 'qemu-aarch64' },
};

/** The architecture this process runs on, or undefined where it is neither of ours. */
export function hostArchitecture(): Architecture | undefined {
  return process.arch === 'x64' ? 'amd64' : process.arch === 'arm64' ? 'arm64' : undefined;
}
