import { posix } from 'node:path';
import { ARCHITECTURE_NAMES, type Architecture } from '../support/architecture.ts';
import { readContent } from './content.ts';
import { CORE_LIBRARIES } from './core-libraries.ts';
import { type Elf, isElf, MalformedElf, readElf } from './elf.ts';
import type { Planned, Problem } from './plan.ts';
import { printable } from './walk.ts';

export interface Checked {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** `e_machine` numbers people meet (System V ABI); the rest is shown as a number. */
const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: 'i386',
  8: 'mips',
  21: 'ppc64',
  22: 's390x',
  40: 'arm (32 bit)',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loongarch64',
};
const BPF = 247;

/** The dynamic linkers of glibc, which the core image's C library brings along. */
const GLIBC_INTERPRETERS = new Set(['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1']);
const CORE_INTERPRETERS = new Set(['sh', 'bash', 'dash']);

/**
 * Checks every program and library: an ELF file of another architecture, or a damaged one, is a problem; a needed library or an
 * interpreter that neither the tree nor a core image has is a warning that names who needs it.
 */
export async function checkPrograms(
  planned: readonly Planned[],
  architecture: Architecture,
  signal?: AbortSignal,
): Promise<Checked> {
  const paths = new Set(planned.map((entry) => entry.path));
  const problems: Problem[] = [];
  const missing = new Map<string, string[]>();
  const need = (what: string, who: string) => missing.set(what, [...(missing.get(what) ?? []), who]);
  for (const entry of planned) {
    signal?.throwIfAborted();
    if (entry.kind !== 'file' || entry.size < 3) continue;
    const start = await readContent(entry, 0, 256);
    if (isElf(start)) {
      try {
        const elf = await readElf((offset, length) => readContent(entry, offset, length), entry.size);
        const wrong = wrongMachine(elf, architecture);
        if (wrong) problems.push({ path: entry.path, component: entry.component, ...wrong });
        else
          for (const what of missingLibraries(elf, entry.path, paths, architecture)) need(what, entry.path);
      } catch (error) {
        if (!(error instanceof MalformedElf)) throw error;
        problems.push({
          path: entry.path,
          component: entry.component,
          reason: `a damaged ELF file: ${error.message}`,
          advice: 'look at where it comes from; it may be cut off',
        });
      }
    } else if (entry.mode & 0o111) {
      const interpreter = missingInterpreter(start, paths);
      if (interpreter !== undefined) need(`the interpreter ${printable(interpreter)}`, entry.path);
    }
  }
  const warnings = [...missing].map(([what, who]) => {
    const shown =
      who.length > 4 ? `${who.slice(0, 3).join(', ')} and ${who.length - 3} more` : who.join(', ');
    return `${what} is neither in the extension nor in a core image; needed by ${shown}`;
  });
  return { problems, warnings: warnings.sort() };
}

function wrongMachine(elf: Elf, architecture: Architecture): { reason: string; advice: string } | undefined {
  if (elf.machine === BPF) return undefined; // Code for the kernel's own machine, the same everywhere.
  if (elf.machine === ARCHITECTURE_NAMES[architecture].elfMachine && elf.bits === 64) return undefined;
  const name = MACHINE_NAMES[elf.machine] ?? `machine ${elf.machine}`;
  return {
    reason: `is for ${name}${elf.bits === 32 && elf.machine === 62 ? ' (x32)' : ''}, the extension is for ${architecture}`,
    advice: 'check {arch} and archNames of its source in the recipe',
  };
}

/** Where the dynamic linker looks without its cache (ld.so(8)); a merge does not renew the cache of a node. */
function defaultFolders(architecture: Architecture): string[] {
  return ['/usr/lib', `/usr/lib/${ARCHITECTURE_NAMES[architecture].machine}-linux-gnu`];
}

function missingLibraries(
  elf: Elf,
  path: string,
  paths: ReadonlySet<string>,
  architecture: Architecture,
): string[] {
  const folders = [
    ...elf.runpath.map((folder) =>
      merged(posix.normalize(folder.replaceAll(/\$(ORIGIN|\{ORIGIN\})/g, posix.dirname(path)))),
    ),
    ...defaultFolders(architecture),
  ];
  const has = (name: string) => folders.some((folder) => paths.has(posix.join(folder, name)));
  const needed = elf.needed
    .filter((name) => !/^ld-linux[^/]*\.so\.\d+$/.test(name) && !CORE_LIBRARIES.has(name))
    .filter((name) => (name.includes('/') ? !paths.has(merged(name)) : !has(name)))
    .map((name) => `the library ${printable(name)}${elsewhere(name, paths)}`);
  const { interpreter } = elf;
  if (interpreter !== undefined && !GLIBC_INTERPRETERS.has(interpreter) && !paths.has(merged(interpreter))) {
    needed.push(`the dynamic linker ${printable(interpreter)}`);
  }
  return needed;
}

function elsewhere(name: string, paths: ReadonlySet<string>): string {
  const found = [...paths].find((path) => posix.basename(path) === name);
  return found === undefined ? '' : ` (carried as ${found}, where the dynamic linker does not look)`;
}

/** A path on a system where /bin, /lib and /sbin are links into /usr. */
export function merged(path: string): string {
  return /^\/(bin|sbin|lib|lib64)\//.test(path) ? `/usr${path}` : path;
}

/** The interpreter of a script (execve(2)) that no core image is sure to have. */
function missingInterpreter(start: Uint8Array, paths: ReadonlySet<string>): string | undefined {
  if (start[0] !== 0x23 || start[1] !== 0x21) return undefined;
  const line = Buffer.from(start).toString('latin1').slice(2).split('\n', 1)[0]?.trim() ?? '';
  const [program = '', ...words] = line.split(/\s+/);
  const viaEnv = posix.basename(program) === 'env';
  const name = viaEnv ? (words.find((word) => !word.startsWith('-') && !word.includes('=')) ?? '') : program;
  if (name === '' || CORE_INTERPRETERS.has(posix.basename(name))) return undefined;
  const candidates = name.includes('/')
    ? [merged(name)]
    : ['/usr/local/bin', '/usr/bin', '/usr/sbin'].map((folder) => `${folder}/${name}`);
  return candidates.some((candidate) => paths.has(candidate)) ? undefined : name;
}
