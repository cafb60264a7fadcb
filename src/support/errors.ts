/** What went wrong, in the classes that decide the exit code. docs/errors.md lists them for people. */
export type ErrorCode =
  | 'usage'
  | 'input'
  | 'verification'
  | 'tool'
  | 'network'
  | 'filesystem'
  | 'partial'
  | 'interrupted'
  | 'internal';

/** Process exit code of each error class; 0 is success. Documented in docs/errors.md and in `sextant --help`. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  usage: 2,
  input: 3,
  verification: 4,
  tool: 5,
  network: 6,
  filesystem: 7,
  partial: 8,
  interrupted: 130,
};

/** Exit code of `sextant watch-upstream` that found something: no error, and not the same as having found nothing. */
export const NEWS_EXIT_CODE = 9;

export interface ErrorOptions {
  /** One sentence that says what to do; commands in it can be pasted. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Longer material (a tool's output, a list of problems) printed below the message. */
  readonly details?: string;
}

/** The only error a person is meant to read: `message` names the thing that is wrong and where, `hint` says what to do. */
export class SextantError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SextantError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }
}

const FILESYSTEM_ADVICE: Readonly<Record<string, [string, string]>> = {
  ENOSPC: [
    'no space left on the disk',
    'free some space, or point SEXTANT_CACHE or --output at another disk',
  ],
  EDQUOT: [
    'the disk quota is used up',
    'free some space, or point SEXTANT_CACHE or --output at another disk',
  ],
  EACCES: ['permission denied', 'choose a path that you may write, or change its owner'],
  EPERM: ['operation not permitted', 'choose a path that you may write, or change its owner'],
  EROFS: ['the file system is read-only', 'choose a path on a file system that can be written'],
  ENOENT: ['no such file or folder', 'check the path'],
  EISDIR: ['is a folder, a file is needed', 'check the path'],
  ENOTDIR: ['a part of the path is not a folder', 'check the path'],
};

/** True for an error that says that a disk is full or a quota used up. */
export function isWithoutSpace(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

/**
 * The same error, about `path`: one that a full disk gave to a write names no path, and one about a temporary name means nothing to
 * people.
 */
export function withPlace(error: unknown, path: string, temporary?: string): unknown {
  if (!(error instanceof Error)) return error;
  const named = (error as NodeJS.ErrnoException).path;
  if (named === undefined ? isWithoutSpace(error) : named === temporary) Object.assign(error, { path });
  return error;
}

/**
 * Any thrown value as a SextantError: ours unchanged, Node's file system errors (`code` and `path`) and aborts translated, the rest
 * as `internal`.
 */
export function toSextantError(thrown: unknown): SextantError {
  if (thrown instanceof SextantError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error.name === 'AbortError') {
    if (error.cause instanceof SextantError) return error.cause;
    return new SextantError('interrupted', 'interrupted', {
      hint: 'run the same command again; finished downloads are kept',
    });
  }
  const { code, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const advice = code === undefined ? undefined : FILESYSTEM_ADVICE[code];
  if (advice) {
    return new SextantError(
      'filesystem',
      `${(isWithoutSpace(error) ? dest : undefined) ?? path ?? 'a file'}: ${advice[0]}`,
      {
        hint: advice[1],
        cause: error,
      },
    );
  }
  return new SextantError('internal', error.message, {
    hint: 'this is a defect in sextant; run again with --debug and report what it prints',
    cause: error,
    ...(error.stack === undefined ? {} : { details: error.stack }),
  });
}
