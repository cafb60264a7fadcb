import { Failure } from './failure.ts';
import { DEFAULT_ENVIRONMENT, type Host, HostError, type RunOptions, type RunResult } from './host/host.ts';

interface Program {
  /** What sextant-node asks of it. */
  readonly reason: string;
  /** Without a required one no node is adopted; without another, one thing is not possible. */
  readonly required: boolean;
  /** Name it has on some distributions. */
  readonly otherName?: string;
}

/** Every program of the node that sextant-node may run: a fixed list, checked by `doctor` and before a node is adopted. */
export const PROGRAMS = {
  sha256sum: { required: true, reason: 'digests: QuickJS has no hashing' },
  curl: { required: true, reason: 'downloads: QuickJS has no TLS' },
  veritysetup: { required: true, reason: 'checks an extension against its root hash before it is used' },
  losetup: { required: true, reason: 'shows veritysetup the data partition of an extension' },
  'systemd-sysext': { required: true, reason: 'merges, and tells what is merged' },
  systemctl: {
    required: true,
    reason: 'starts and stops services, reloads the manager, restarts the machine',
  },
  'kairos-agent': { required: true, reason: 'chooses the slot of the next boot' },
  'grub-editenv': {
    required: true,
    reason: 'reads and clears what GRUB was told about the next boot',
    otherName: 'grub2-editenv',
  },
  mount: { required: true, reason: 'makes the partition of the slots writable while it is changed' },
  umount: { required: true, reason: 'leaves that partition as it was' },
  fsfreeze: { required: true, reason: "writes a file system's journal to its place: GRUB reads no journal" },
  tee: { required: true, reason: "writes to the kernel's log, the only one there is before the merge" },
  cp: { required: true, reason: 'copies of the datastore, with owners, modes and holes' },
  dmsetup: { required: false, reason: 'the root hash in use, and damage that dm-verity has met' },
  'systemd-run': {
    required: false,
    reason: 'upgrades at a set time, adoption beside the boot, and which extension it was that broke a merge',
  },
  'systemd-analyze': { required: false, reason: 'whether the maintenance window is open' },
  openssl: { required: false, reason: 'who signed an extension, before it is enabled' },
} as const satisfies Readonly<Record<string, Program>>;

export type ProgramName = keyof typeof PROGRAMS;

/** One line of `doctor`. */
export interface FoundProgram extends Program {
  readonly name: ProgramName;
  /** Undefined where there is none. */
  readonly path: string | undefined;
}

/** Looks for every program of the list. */
export function findPrograms(host: Host): FoundProgram[] {
  return (Object.keys(PROGRAMS) as ProgramName[]).map((name) => ({
    name,
    ...PROGRAMS[name],
    path: findProgram(host, name),
  }));
}

/** Path of a program in the fixed search path. */
export function findProgram(host: Host, name: ProgramName): string | undefined {
  const { otherName }: Program = PROGRAMS[name];
  const folders = (DEFAULT_ENVIRONMENT.PATH ?? '').split(':');
  for (const wanted of otherName === undefined ? [name] : [name, otherName]) {
    for (const folder of folders) {
      const path = `${folder}/${wanted}`;
      const facts = host.stat(path);
      if (facts?.kind === 'file' && (facts.mode & 0o111) !== 0) return path;
    }
  }
  return undefined;
}

/**
 * Runs a program of the list. Throws a `tool` failure when it is missing, takes too long, says too much, is ended by a signal or ends
 * with a code outside `okCodes` (default [0]); the message holds the first line of what it said.
 */
export function runProgram(
  host: Host,
  name: ProgramName,
  args: readonly string[],
  options: RunOptions & { readonly okCodes?: readonly number[] } = {},
): RunResult {
  const path = findProgram(host, name) ?? name;
  let result: RunResult;
  try {
    result = host.run([path, ...args], options);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const hint = `sextant-node needs it: ${PROGRAMS[name].reason}`;
    if (error.errno === 'ENOENT') throw new Failure('tool', `${name}: program not found on this node`, hint);
    throw new Failure('tool', `${name}: cannot be started (${error.errno})`, hint);
  }
  if (result.ended === 'exit' && (options.okCodes ?? [0]).includes(result.code ?? -1)) return result;
  const how = {
    exit: `failed with exit code ${result.code}`,
    signal: `was ended by signal ${result.signal}`,
    timeout: `took longer than ${options.timeoutSeconds ?? 60} s and was ended`,
    limit: 'wrote more than it may and was ended',
  }[result.ended];
  const [said = ''] = (result.stderr.trim() || result.stdout.trim()).split('\n');
  throw new Failure(
    'tool',
    `${name} ${how}${said === '' ? '' : `: ${said}`}`,
    `to see it yourself: ${[path, ...args].map(shellWord).join(' ')}`,
  );
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
