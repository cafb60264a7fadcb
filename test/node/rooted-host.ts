import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Host, HostError, type RunOptions, type RunResult } from '../../src/node/host/host.ts';
import { nodeHost } from './host/node-host.ts';

/** Stands in for a program of the node. */
export type FakeProgram = (args: readonly string[], options: RunOptions) => Partial<RunResult> | undefined;

export interface RootedHost extends Host {
  /** Folder that the node takes for `/`. */
  readonly root: string;
  /** By name, without a folder; a real program in the root comes first, and anything else is not found. */
  readonly programs: Map<string, FakeProgram>;
  /** Every program that was run, as one line. */
  readonly ran: string[];
  /** What was written to standard output and standard error. */
  readonly said: { out: string; err: string };
  /** Seconds since the node started; `sleep` moves it. */
  clock: number;
  /** Called by `sleep` after the clock has moved. */
  onSleep: () => void;
  /** True once the process was asked to end. */
  ending: boolean;
}

/** A node in a temporary folder: every path is below it, absolute links included, and programs are fake ones or those in it. */
export function rootedHost(root = mkdtempSync(join(tmpdir(), 'sextant-node-'))): RootedHost {
  const said = { out: '', err: '' };
  const heard = (stream: keyof typeof said) => (text: string) => {
    said[stream] += text;
  };
  const base = nodeHost({ out: heard('out'), err: heard('err') });
  const entry = (path: string) => resolveIn(root, path, false);
  const target = (path: string) => resolveIn(root, path, true);
  const one =
    <Rest extends unknown[], T>(work: (path: string, ...rest: Rest) => T, where = entry) =>
    (path: string, ...rest: Rest): T =>
      named(path, () => work(where(path), ...rest));
  const two =
    <Rest extends unknown[], T>(work: (from: string, to: string, ...rest: Rest) => T) =>
    (from: string, to: string, ...rest: Rest): T =>
      named(to, () => work(entry(from), entry(to), ...rest));
  const host: RootedHost = {
    ...base,
    root,
    programs: new Map<string, FakeProgram>([
      ['sha256sum', (args, options) => sha256sum(host, args, options)],
    ]),
    ran: [],
    said,
    clock: 20,
    onSleep: () => undefined,
    ending: false,
    readText: one(base.readText, target),
    readBytes: one(base.readBytes, target),
    list: one(base.list, target),
    lstat: one(base.lstat),
    stat: one(base.stat, target),
    readlink: one(base.readlink),
    space: one(base.space, target),
    writeNew: one(base.writeNew),
    copyNew: (from, to, ...rest) => named(to, () => base.copyNew(target(from), entry(to), ...rest)),
    sync: one(base.sync),
    rename: two(base.rename),
    symlink: (to, path) => named(path, () => base.symlink(to, entry(path))),
    link: two(base.link),
    unlink: one(base.unlink),
    rmdir: one(base.rmdir),
    mkdir: one(base.mkdir),
    lock: one(base.lock),
    run([program, ...args], options = {}) {
      const name = program.slice(program.lastIndexOf('/') + 1);
      host.ran.push([name, ...args].join(' '));
      const fake = host.programs.get(name);
      const inside = program.startsWith('/') ? target(program) : undefined;
      if (inside && existsSync(inside) && lstatSync(inside).size > 0) {
        const env = { PATH: process.env.PATH ?? '', ROOT: root, ...(options.env ?? {}) };
        return base.run([inside, ...args], { ...options, env });
      }
      if (!fake) throw new HostError('ENOENT', 'run', program);
      return { ended: 'exit', code: 0, signal: undefined, stdout: '', stderr: '', ...fake(args, options) };
    },
    sendDatagram(socket) {
      throw new HostError('ENOENT', 'send', socket);
    },
    uptime: () => host.clock,
    sleep(seconds) {
      if (host.ending) return;
      host.clock += seconds;
      host.onSleep();
    },
    deferTermination: () => ({ asked: () => host.ending }),
  };
  return host;
}

/** sha256sum(1), without the time that starting it takes. */
function sha256sum(
  host: RootedHost,
  args: readonly string[],
  { input = '' }: RunOptions,
): Partial<RunResult> {
  const path = args.find((word) => word.startsWith('/'));
  const bytes = path === undefined ? input : host.readBytes(path, 0, 64 * 1024 * 1024);
  if (bytes === undefined) return { code: 1, stderr: `sha256sum: ${path}: No such file or directory` };
  return { stdout: `${createHash('sha256').update(bytes).digest('hex')}  ${path ?? '-'}\n` };
}

/** Writes a file of the node, its folders too. */
export function put(host: RootedHost, path: string, content: string | Uint8Array = '', mode = 0o644): void {
  const file = resolveIn(host.root, path, true);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/** Makes a folder of the node. */
export function folder(host: RootedHost, path: string): void {
  mkdirSync(join(host.root, path), { recursive: true });
}

/** Errors name the node's path, not that of the temporary folder. */
function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof HostError ? new HostError(error.errno, error.operation, path) : error;
  }
}

/** The path below `root`, with every link on the way followed as the node would; the last one only when asked for. */
export function resolveIn(root: string, path: string, followLast: boolean, depth = 0): string {
  if (depth > 40) throw new HostError('ELOOP', 'open', path);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  let at = '';
  for (const [index, part] of parts.entries()) {
    if (part === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    const next = `${at}/${part}`;
    const last = index === parts.length - 1;
    const isLink = lstatSync(root + next, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    if (isLink && (!last || followLast)) {
      const to = readlinkSync(root + next);
      const rest = parts.slice(index + 1).join('/');
      return resolveIn(root, `${to.startsWith('/') ? to : `${at}/${to}`}/${rest}`, followLast, depth + 1);
    }
    at = next;
  }
  return root + (at || '/');
}
