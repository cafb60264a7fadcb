import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DEFAULT_ENVIRONMENT, type Host, HostError, type RunOptions } from '../../src/node/host/host.ts';
import { type NodeHostOptions, nodeHost } from './host/node-host.ts';

/** A host whose paths, programs and their arguments are below a folder, as a node's are below `/`. What it says names no folder. */
export function rootedHost(root: string, options: NodeHostOptions = {}): Host {
  const host = nodeHost({ env: {}, ...options });
  const inside = (path: string) => `${root}${path}`;
  const outside = (text: string) => text.replaceAll(root, '');
  const quiet = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new HostError(error.errno, error.operation, outside(error.path));
    }
  };
  const argument = (word: string) =>
    word.replace(/^(--?[\w-]+=)?(\/(?:opt|var|run|oem|usr|etc|boot)\b)/, `$1${root}$2`);
  return {
    ...host,
    readText: (path, limit) => quiet(() => host.readText(inside(path), limit)),
    readBytes: (path, offset, length) => quiet(() => host.readBytes(inside(path), offset, length)),
    list: (folder) => quiet(() => host.list(inside(folder))),
    lstat: (path) => quiet(() => host.lstat(inside(path))),
    stat: (path) => quiet(() => host.stat(inside(path))),
    readlink: (path) => quiet(() => host.readlink(inside(path))?.replace(root, '')),
    space: (path) => quiet(() => host.space(inside(path))),
    writeNew: (path, content, mode) => quiet(() => host.writeNew(inside(path), content, mode)),
    copyNew: (from, to, mode, onProgress) =>
      quiet(() => host.copyNew(inside(from), inside(to), mode, onProgress)),
    sync: (path) => quiet(() => host.sync(inside(path))),
    rename: (from, to) => quiet(() => host.rename(inside(from), inside(to))),
    symlink: (target, path) =>
      quiet(() => host.symlink(target.startsWith('/') ? inside(target) : target, inside(path))),
    link: (from, to) => quiet(() => host.link(inside(from), inside(to))),
    unlink: (path) => quiet(() => host.unlink(inside(path))),
    rmdir: (path) => quiet(() => host.rmdir(inside(path))),
    mkdir: (path, mode) => quiet(() => host.mkdir(inside(path), mode)),
    lock: (path, waitSeconds) => quiet(() => host.lock(inside(path), waitSeconds)),
    sendDatagram: (socket, payload) => quiet(() => host.sendDatagram(inside(socket), payload)),
    run: ([program, ...args], given: RunOptions = {}) =>
      quiet(() => {
        const env = {
          ...(given.env ?? DEFAULT_ENVIRONMENT),
          PATH: `${root}/usr/bin:/usr/bin:/bin`,
          ROOT: root,
        };
        const path = program.startsWith('/') ? inside(program) : program;
        const result = host.run([path, ...args.map(argument)], { ...given, env });
        return { ...result, stdout: outside(result.stdout), stderr: outside(result.stderr) };
      }),
  };
}

/** Writes a file below the root, with its folders. One that is there is replaced: it may be a link to a program of this machine. */
export function place(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(`${root}${path}`), { recursive: true });
  rmSync(`${root}${path}`, { force: true });
  writeFileSync(`${root}${path}`, content);
  chmodSync(`${root}${path}`, mode);
}

/** A program of the node that notes how it was called in `$ROOT/calls` and then runs a shell script, which may use $ROOT. */
export function program(root: string, name: string, script = ''): void {
  const text = `#!/bin/sh\nprintf '%s\\n' "${name} $*" | sed "s#$ROOT##g" >>"$ROOT/calls"\n${script}\n`;
  place(root, `/usr/bin/${name}`, text, 0o755);
}

/** Programs of this machine, as they are. */
export function realPrograms(root: string, names: readonly string[]): void {
  mkdirSync(`${root}/usr/bin`, { recursive: true });
  for (const name of names) symlinkSync(`/usr/bin/${name}`, `${root}/usr/bin/${name}`);
}
