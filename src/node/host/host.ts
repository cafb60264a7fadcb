/**
 * Everything of the machine that sextant-node touches. Synchronous, because one thing happens after another on purpose: an effect is
 * on the disk before the next begins. Two hands implement it: host/quickjs.ts on the node, a Node.js one in the tests; one contract
 * suite holds both to what is written here.
 *
 * Paths are absolute. Names that are not UTF-8 cannot be told apart and belong to nobody who uses this. Whatever fails throws a
 * `HostError`, except where a result for "there is none" is named.
 */
export interface Host {
  /** Content as UTF-8, or undefined where there is no such file. More than `limit` bytes (default 1 MiB) is EFBIG, a folder EISDIR. */
  readText(path: string, limit?: number): string | undefined;
  /** At most `length` bytes from `offset`; fewer at the end of the file. Undefined where there is no such file. */
  readBytes(path: string, offset: number, length: number): Uint8Array | undefined;
  /** Names in a folder, sorted by code unit, without "." and ".."; undefined where there is no such folder. */
  list(folder: string): string[] | undefined;
  /** What is at a path itself; undefined where there is nothing. */
  lstat(path: string): FileFacts | undefined;
  /** What a path leads to, links followed; undefined where there is nothing, also behind a link. */
  stat(path: string): FileFacts | undefined;
  /** Target of a symbolic link as it is written; undefined where there is nothing. EINVAL for what is no link. */
  readlink(path: string): string | undefined;
  /** Room on the file system that holds `path`. */
  space(path: string): Space;

  /** Creates a file and writes it. EEXIST where there is anything, a dangling link too. A write that fails leaves no file. Not synced. */
  writeNew(path: string, content: string | Uint8Array, mode: number): void;
  /** Copies a file's bytes to a new file, as `writeNew`. `onProgress` hears the bytes copied so far, at most once a MiB. */
  copyNew(from: string, to: string, mode: number, onProgress?: (bytes: number) => void): void;
  /** fsync(2) of a file or of a folder (its entries). A link at the end is ELOOP. */
  sync(path: string): void;
  /** rename(2): takes the place of a file or link at `to` in one step. */
  rename(from: string, to: string): void;
  /** EEXIST where there is anything at `path`. */
  symlink(target: string, path: string): void;
  /** Another name for a file (hard link). */
  link(from: string, to: string): void;
  /** False where there was nothing. Never a folder. */
  unlink(path: string): boolean;
  /** Removes an empty folder; false where there was nothing. */
  rmdir(path: string): boolean;
  /** False where there is such a folder already; EEXIST for anything else there. `mode` is not cut by the umask. */
  mkdir(path: string, mode: number): boolean;
  /**
   * Takes an exclusive flock(2) on a file, created with mode 0600 where missing; undefined when another process has it for longer
   * than `waitSeconds`. The kernel gives it back when this process ends, however that happens.
   */
  lock(path: string, waitSeconds: number): FileLock | undefined;

  /**
   * Runs a program (looked up in `env.PATH` when argv[0] has no slash), without a shell, in a process group of its own, and waits for
   * the end of it and of everything that holds its output. ENOENT or EACCES when it cannot be started; all other ends are results.
   */
  run(argv: readonly [string, ...string[]], options?: RunOptions): RunResult;
  /** Sends one datagram to a Unix socket, e.g. the journal's. ENOENT or ECONNREFUSED where nobody listens. */
  sendDatagram(socket: string, payload: Uint8Array): void;

  /** Seconds since the machine started, suspended time included (CLOCK_BOOTTIME): what decides. */
  uptime(): number;
  /** Milliseconds since 1970 by a clock that may be wrong: for display only. */
  wallClock(): number;
  /** Sleeps; ends early when the process is asked to end. */
  sleep(seconds: number): void;
  /** From now on SIGTERM, SIGINT and SIGHUP do not end the process at once; `asked()` tells whether one came. */
  deferTermination(): { readonly asked: () => boolean };

  /** Arguments after the program's name. */
  readonly args: readonly string[];
  env(name: string): string | undefined;
  /** Numeric id of the user this runs as. */
  userId(): number;
  /** UTF-8 to the standard streams, all of it before it returns. */
  out(text: string): void;
  err(text: string): void;
  exit(code: number): never;

  encode(text: string): Uint8Array;
  /** UTF-8 to text; wrong bytes become U+FFFD. */
  decode(bytes: Uint8Array): string;
}

export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Bytes; of a link the length of its target. */
  readonly size: number;
  /** Permission bits with set-id and sticky: 0o7777. */
  readonly mode: number;
  /** Whole seconds since 1970: for display only. */
  readonly modified: number;
  /** Number of the file and of its device: the same pair is the same file. */
  readonly inode: number;
  readonly device: number;
}

export interface Space {
  /** Bytes that may still be written, without the share that the file system keeps for root. */
  readonly free: number;
  readonly total: number;
  /** Files that may still be created; 0 too on file systems that do not count them. */
  readonly freeFiles: number;
}

export interface FileLock {
  release(): void;
}

export interface RunOptions {
  /** The whole environment; default `DEFAULT_ENVIRONMENT`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; nothing (/dev/null) by default. */
  readonly input?: string;
  /** Default 60. Then its process group gets SIGKILL. */
  readonly timeoutSeconds?: number;
  /** Most bytes of each of stdout and stderr, default 1 MiB. More ends its process group by SIGKILL. */
  readonly outputLimit?: number;
}

export interface RunResult {
  /** `limit`: it wrote too much; `timeout`: it took too long; both were ended by SIGKILL. */
  readonly ended: 'exit' | 'signal' | 'timeout' | 'limit';
  /** Exit code; undefined unless `ended` is `exit`. */
  readonly code: number | undefined;
  /** Number of the signal; undefined unless `ended` is `signal`. */
  readonly signal: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Results must not depend on who started this: a fixed search path and the C locale. */
export const DEFAULT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
};

export const DEFAULT_READ_LIMIT = 1024 * 1024;
export const DEFAULT_OUTPUT_LIMIT = 1024 * 1024;
export const DEFAULT_TIMEOUT_SECONDS = 60;

/** A system call that failed: its errno by name (errno(3)), and what it was about. */
export class HostError extends Error {
  readonly errno: string;
  readonly operation: string;
  readonly path: string;

  constructor(errno: string, operation: string, path: string) {
    super(`${path}: ${operation}: ${errno}`);
    this.name = 'HostError';
    this.errno = errno;
    this.operation = operation;
    this.path = path;
  }
}
