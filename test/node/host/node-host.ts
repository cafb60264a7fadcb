import { type SpawnOptions, type SpawnSyncOptions, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { constants } from 'node:os';
import {
  DEFAULT_ENVIRONMENT,
  DEFAULT_OUTPUT_LIMIT,
  DEFAULT_READ_LIMIT,
  DEFAULT_TIMEOUT_SECONDS,
  type FileFacts,
  type Host,
  HostError,
  type RunOptions,
  type RunResult,
} from '../../../src/node/host/host.ts';

/** Thrown by `exit`, so that a test goes on. */
export class Exited extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

export interface NodeHostOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What standard output and standard error are given to; default: this process' own. */
  readonly out?: (text: string) => void;
  readonly err?: (text: string) => void;
}

/** The host under Node.js, for tests: the same contract by other means (test/node/host/contract.ts). */
export function nodeHost(options: NodeHostOptions = {}): Host {
  let asked = false;
  return {
    readText(path, limit = DEFAULT_READ_LIMIT) {
      const bytes = readAt(path, 0, limit + 1);
      if (bytes !== undefined && bytes.length > limit) throw new HostError('EFBIG', 'read', path);
      return bytes === undefined ? undefined : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    },
    readBytes: readAt,
    list: (folder) => orMissing('opendir', folder, () => fs.readdirSync(folder).sort()),
    lstat: (path) => orMissing('stat', path, () => factsOf(fs.lstatSync(path))),
    stat: (path) => orMissing('stat', path, () => factsOf(fs.statSync(path))),
    readlink: (path) => orMissing('readlink', path, () => fs.readlinkSync(path)),
    space(path) {
      const { bavail, blocks, bsize, ffree } = call('statvfs', path, () => fs.statfsSync(path));
      return { free: bavail * bsize, total: blocks * bsize, freeFiles: ffree };
    },

    writeNew: (path, content, mode) =>
      create(path, mode, (descriptor) => writeAll(descriptor, Buffer.from(content))),
    copyNew(from, to, mode, onProgress) {
      const whole = readAt(from, 0, Number.MAX_SAFE_INTEGER);
      if (whole === undefined) throw new HostError('ENOENT', 'open', from);
      create(to, mode, (descriptor) => {
        for (let at = 0; at < whole.length; at += 1024 * 1024) {
          const piece = whole.subarray(at, at + 1024 * 1024);
          writeAll(descriptor, piece);
          onProgress?.(at + piece.length);
        }
      });
    },
    sync(path) {
      call('fsync', path, () => {
        const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;
        withDescriptor(fs.openSync(path, flags), fs.fsyncSync);
      });
    },
    rename: (from, to) => call('rename', to, () => fs.renameSync(from, to)),
    symlink: (target, path) => call('symlink', path, () => fs.symlinkSync(target, path)),
    link: (from, to) => call('link', to, () => fs.linkSync(from, to)),
    unlink: (path) => removed('unlink', path, fs.unlinkSync),
    rmdir: (path) => removed('rmdir', path, fs.rmdirSync),
    mkdir(path, mode) {
      try {
        fs.mkdirSync(path);
        fs.chmodSync(path, mode);
        return true;
      } catch (error) {
        if (errnoOf(error) === 'EEXIST' && fs.lstatSync(path).isDirectory()) return false;
        throw new HostError(errnoOf(error), 'mkdir', path);
      }
    },
    lock(path, waitSeconds) {
      const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
      const descriptor = call('open', path, () => fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
      // The lock belongs to the open file, which flock(1) shares with us and leaves locked.
      const how = ['--exclusive', '--timeout', String(waitSeconds), '3'];
      const { status } = spawnSync('flock', how, { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
      if (status === 0) return { release: () => fs.closeSync(descriptor) };
      fs.closeSync(descriptor);
      return undefined;
    },

    run,
    sendDatagram(socket, payload) {
      // Node has no datagram sockets with names.
      const script =
        'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); binmode STDIN; local $/; my $p = <STDIN>; send(S, $p // "", 0, sockaddr_un($ARGV[0])) // exit($!{ECONNREFUSED} ? 3 : 2)';
      const { status } = spawnSync('perl', ['-MSocket', '-MErrno', '-e', script, socket], { input: payload });
      if (status !== 0) throw new HostError(status === 3 ? 'ECONNREFUSED' : 'ENOENT', 'send', socket);
    },

    uptime: () => Number(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0]),
    wallClock: () => Date.now(),
    sleep(seconds) {
      if (!asked) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
    },
    deferTermination() {
      // Heard only between two turns of Node's loop, so not while a synchronous command is at work.
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
        process.once(name, () => {
          asked = true;
        });
      }
      return { asked: () => asked };
    },

    args: options.args ?? [],
    env: (name) => (options.env ?? process.env)[name],
    userId: () => process.geteuid?.() ?? 0,
    out: options.out ?? ((text) => writeAll(1, Buffer.from(text))),
    err: options.err ?? ((text) => writeAll(2, Buffer.from(text))),
    exit(code) {
      throw new Exited(code);
    },
    encode: (text) => new TextEncoder().encode(text),
    decode: (bytes) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
  };
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EUNKNOWN';
}

function call<T>(operation: string, path: string, work: () => T): T {
  try {
    if (path.includes('\0')) throw Object.assign(new Error(), { code: 'EINVAL' });
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw error instanceof HostError || code === undefined ? error : new HostError(code, operation, path);
  }
}

function orMissing<T>(operation: string, path: string, work: () => T): T | undefined {
  try {
    return call(operation, path, work);
  } catch (error) {
    if (error instanceof HostError && ['ENOENT', 'ENOTDIR'].includes(error.errno)) return undefined;
    throw error;
  }
}

function removed(operation: string, path: string, remove: (path: string) => void): boolean {
  try {
    call(operation, path, () => remove(path));
    return true;
  } catch (error) {
    if (error instanceof HostError && error.errno === 'ENOENT') return false;
    throw error;
  }
}

function withDescriptor<T>(descriptor: number, work: (descriptor: number) => T): T {
  try {
    return work(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function readAt(path: string, offset: number, length: number): Uint8Array | undefined {
  return orMissing('open', path, () => {
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    return withDescriptor(descriptor, () => {
      const facts = fs.fstatSync(descriptor);
      if (facts.isDirectory()) throw new HostError('EISDIR', 'open', path);
      if (!facts.isFile() && !facts.isBlockDevice()) throw new HostError('EINVAL', 'open', path);
      const pieces: Buffer[] = [];
      for (let at = offset; at < offset + length; ) {
        const piece = Buffer.alloc(Math.min(64 * 1024, offset + length - at));
        const got = fs.readSync(descriptor, piece, 0, piece.length, at);
        if (got === 0) break;
        pieces.push(piece.subarray(0, got));
        at += got;
      }
      return new Uint8Array(Buffer.concat(pieces));
    });
  });
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(descriptor, bytes, at);
}

function create(path: string, mode: number, fill: (descriptor: number) => void): void {
  call('create', path, () => {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    const descriptor = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      fs.fchmodSync(descriptor, mode);
      fill(descriptor);
    } catch (error) {
      fs.unlinkSync(path);
      throw error;
    } finally {
      fs.closeSync(descriptor);
    }
  });
}

function factsOf(facts: fs.Stats): FileFacts {
  const kind = facts.isFile()
    ? 'file'
    : facts.isDirectory()
      ? 'folder'
      : facts.isSymbolicLink()
        ? 'link'
        : 'other';
  return {
    kind,
    size: facts.size,
    mode: facts.mode & 0o7777,
    modified: Math.floor(facts.mtimeMs / 1000),
    inode: facts.ino,
    device: facts.dev,
  };
}

function run(argv: readonly [string, ...string[]], options: RunOptions = {}): RunResult {
  const {
    env = DEFAULT_ENVIRONMENT,
    input,
    timeoutSeconds = DEFAULT_TIMEOUT_SECONDS,
    outputLimit = DEFAULT_OUTPUT_LIMIT,
  } = options;
  const [program, ...args] = argv;
  const how: SpawnSyncOptions & Pick<SpawnOptions, 'detached'> = {
    env: { ...env },
    ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input }),
    timeout: timeoutSeconds * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: outputLimit,
    detached: true, // A process group of its own.
  };
  const { pid, status, signal, stdout, stderr, error } = spawnSync(program, args, how);
  const code = error === undefined ? '' : errnoOf(error);
  if (error !== undefined && code !== 'ETIMEDOUT' && code !== 'ENOBUFS' && code !== 'EPIPE') {
    throw new HostError(code, 'run', program);
  }
  const ended =
    code === 'ETIMEDOUT' ? 'timeout' : code === 'ENOBUFS' ? 'limit' : signal === null ? 'exit' : 'signal';
  if (ended === 'timeout' || ended === 'limit') {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nobody is left of the group.
    }
  }
  const text = (bytes: string | Buffer) =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(bytes).subarray(0, outputLimit));
  return {
    ended,
    code: ended === 'exit' ? (status ?? undefined) : undefined,
    signal: ended === 'signal' && signal !== null ? constants.signals[signal] : undefined,
    stdout: text(stdout),
    stderr: text(stderr),
  };
}
