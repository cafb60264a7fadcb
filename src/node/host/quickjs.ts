import * as native from 'sextant:native';
import {
  DEFAULT_ENVIRONMENT,
  DEFAULT_OUTPUT_LIMIT,
  DEFAULT_READ_LIMIT,
  DEFAULT_TIMEOUT_SECONDS,
  type FileFacts,
  type Host,
  HostError,
  type RunOptions,
} from './host.ts';

/** The host on a node: QuickJS over the C functions in src/node/native. */
export function quickjsHost(): Host {
  native.setErrorClass(HostError);
  const encode = (text: string) => new Uint8Array(native.encode(text));
  return {
    readText(path, limit = DEFAULT_READ_LIMIT) {
      const bytes = native.read(path, 0, limit + 1);
      if (bytes === undefined) return undefined;
      if (bytes.byteLength > limit) throw new HostError('EFBIG', 'read', path);
      return native.decode(new Uint8Array(bytes));
    },
    readBytes(path, offset, length) {
      const bytes = native.read(path, offset, length);
      return bytes === undefined ? undefined : new Uint8Array(bytes);
    },
    list: (folder) => native.list(folder)?.sort(),
    lstat: (path) => factsOf(path, false),
    stat: (path) => factsOf(path, true),
    readlink: native.readlink,
    space(path) {
      const [free, total, freeFiles] = native.space(path);
      return { free, total, freeFiles };
    },

    writeNew: (path, content, mode) =>
      native.writeNew(path, typeof content === 'string' ? encode(content) : content, mode),
    copyNew: (from, to, mode, onProgress) => native.copyNew(from, to, mode, onProgress),
    sync: native.sync,
    rename: native.rename,
    symlink: native.symlink,
    link: native.link,
    unlink: native.unlink,
    rmdir: native.rmdir,
    mkdir: native.mkdir,
    lock(path, waitSeconds) {
      const descriptor = native.lock(path, waitSeconds);
      return descriptor === undefined ? undefined : { release: () => native.close(descriptor) };
    },

    run(argv, options = {}) {
      const [ended, number, stdout, stderr] = native.run(argv, ...runArguments(options, encode));
      const code = ended === 'exit' ? number : undefined;
      const signal = ended === 'signal' ? number : undefined;
      return { ended, code, signal, stdout, stderr };
    },
    sendDatagram: native.sendDatagram,

    uptime: native.uptime,
    wallClock: () => Date.now(),
    sleep: native.sleep,
    deferTermination() {
      native.deferTermination();
      return { asked: native.terminationAsked };
    },

    args: native.args(),
    env: native.env,
    userId: native.userId,
    out: (text) => native.write(1, text),
    err: (text) => native.write(2, text),
    exit: native.exit,
    encode,
    decode: native.decode,
  };
}

function factsOf(path: string, follow: boolean): FileFacts | undefined {
  const found = native.facts(path, follow);
  if (found === undefined) return undefined;
  const [kind, size, mode, modified, inode, device] = found;
  return { kind, size, mode, modified, inode, device };
}

function runArguments(options: RunOptions, encode: (text: string) => Uint8Array) {
  const {
    env = DEFAULT_ENVIRONMENT,
    input,
    timeoutSeconds = DEFAULT_TIMEOUT_SECONDS,
    outputLimit = DEFAULT_OUTPUT_LIMIT,
  } = options;
  const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const bytes = input === undefined ? undefined : encode(input);
  return [environment, bytes, timeoutSeconds, outputLimit] as const;
}
