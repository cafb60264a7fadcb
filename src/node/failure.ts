import { HostError } from './host/host.ts';

/** What went wrong, in the classes that decide the exit code; `sextant-node --help` lists them. The first eight are those of `sextant`. */
export type FailureCode = keyof typeof EXIT_CODES;

/** Exit code of each class of failure; 0 is success. */
export const EXIT_CODES = {
  internal: 1,
  usage: 2,
  input: 3,
  verification: 4,
  tool: 5,
  network: 6,
  filesystem: 7,
  /** Against a rule (Kubernetes' version skew, a protected generation); nothing was changed. */
  refused: 8,
  /** Another sextant-node is at work. */
  busy: 9,
  interrupted: 130,
} as const;

/** The only failure a person is meant to read: `message` names the thing that is wrong and where, `hint` says what to do. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly hint: string | undefined;

  constructor(code: FailureCode, message: string, hint?: string) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.hint = hint;
  }
}

const ADVICE: Readonly<Record<string, readonly [said: string, hint: string]>> = {
  ENOSPC: ['no space left on the disk', 'free some space: `sextant-node gc` removes what nothing needs'],
  EDQUOT: ['the disk quota is used up', 'free some space, or raise the quota'],
  EACCES: ['permission denied', 'run it as root'],
  EPERM: ['operation not permitted', 'run it as root'],
  EROFS: [
    'the file system is read-only',
    'see `dmesg` for why; recovery and live systems are read-only by design',
  ],
  ENOENT: ['no such file or folder', 'check the path'],
  EIO: ['the disk reports a read or write error', 'see `dmesg`; the disk or the file on it is damaged'],
};

/** Any thrown value as a `Failure`: ours unchanged, a system call's error translated, the rest as `internal`. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof HostError) {
    const [said, hint] = ADVICE[thrown.errno] ?? [`${thrown.operation} failed with ${thrown.errno}`];
    return new Failure('filesystem', `${thrown.path}: ${said}`, hint);
  }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const where = error.stack?.split('\n').find((line) => /^\s+at /.test(line));
  return new Failure(
    'internal',
    `${error.message}${where === undefined ? '' : ` (${where.trim()})`}`,
    'this is a defect in sextant-node; report this line',
  );
}
