import { type Host, HostError } from '../../../src/node/host/host.ts';
import { expectEqual, expectErrno, expectTrue } from './expectations.ts';

/** One sentence of the host's contract. `folder` is empty and its own. */
export interface Case {
  readonly name: string;
  check(host: Host, folder: string): void;
}

/** What both hosts keep. Bundled for QuickJS as well, so it uses nothing but the host. */
export const CONTRACT: readonly Case[] = [
  {
    name: 'text comes back as it was written, with the mode that was asked for',
    check(host, folder) {
      const text = 'Grüße \u{1f9ed}\n\0 end';
      host.writeNew(`${folder}/a`, text, 0o666);
      expectEqual(host.readText(`${folder}/a`), text);
      const facts = host.lstat(`${folder}/a`);
      expectEqual([facts?.kind, facts?.size, facts?.mode], ['file', host.encode(text).length, 0o666]);
      expectTrue(Math.abs((facts?.modified ?? 0) - host.wallClock() / 1000) < 100, 'the time is now');
    },
  },
  {
    name: 'bytes come back as they were written, whole and in part',
    check(host, folder) {
      const bytes = new Uint8Array(100_000).map((_, at) => (at * 7) & 255);
      host.writeNew(`${folder}/b`, bytes, 0o600);
      expectEqual([...(host.readBytes(`${folder}/b`, 0, 100_000) ?? [])], [...bytes]);
      expectEqual(
        [...(host.readBytes(`${folder}/b`, 65_530, 20) ?? [])],
        [...bytes.subarray(65_530, 65_550)],
      );
      expectEqual(host.readBytes(`${folder}/b`, 99_990, 50)?.length, 10);
      expectEqual(host.readBytes(`${folder}/b`, 200_000, 50)?.length, 0);
      host.writeNew(`${folder}/part`, bytes.subarray(10, 20), 0o600);
      expectEqual([...(host.readBytes(`${folder}/part`, 0, 100) ?? [])], [...bytes.subarray(10, 20)]);
    },
  },
  {
    name: 'an empty file is empty, not missing',
    check(host, folder) {
      host.writeNew(`${folder}/e`, '', 0o644);
      expectEqual(host.readText(`${folder}/e`), '');
      expectEqual(host.stat(`${folder}/e`)?.size, 0);
    },
  },
  {
    name: 'what is missing is undefined: as a file, behind a file, behind a dangling link',
    check(host, folder) {
      host.writeNew(`${folder}/file`, 'x', 0o644);
      host.symlink('nowhere', `${folder}/dangling`);
      for (const path of [`${folder}/none`, `${folder}/file/below`, `${folder}/dangling`]) {
        expectEqual(host.readText(path), undefined);
        expectEqual(host.readBytes(path, 0, 1), undefined);
        expectEqual(host.stat(path), undefined);
        expectEqual(host.list(path), undefined);
      }
      expectEqual(host.readlink(`${folder}/none`), undefined);
      expectEqual(host.lstat(`${folder}/none`), undefined);
      expectEqual(host.lstat(`${folder}/dangling`)?.kind, 'link');
      expectEqual(host.list(`${folder}/file`), undefined);
    },
  },
  {
    name: 'a file larger than the limit is refused, one of exactly the limit is not',
    check(host, folder) {
      host.writeNew(`${folder}/f`, 'x'.repeat(5000), 0o644);
      expectEqual(host.readText(`${folder}/f`, 5000)?.length, 5000);
      expectErrno('EFBIG', () => host.readText(`${folder}/f`, 4999));
    },
  },
  {
    name: 'files of /proc, which say that they are empty, are read whole',
    check(host) {
      expectTrue(
        /^[0-9a-f-]{36}\n$/.test(host.readText('/proc/sys/kernel/random/boot_id') ?? ''),
        'a boot id',
      );
      expectTrue((host.readText('/proc/self/mountinfo') ?? '').length > 100, 'mounts');
    },
  },
  {
    name: 'folders and what could wait for ever are not read',
    check(host, folder) {
      expectErrno('EISDIR', () => host.readText(folder));
      expectErrno('EINVAL', () => host.readText('/dev/zero'));
      host.run(['mkfifo', `${folder}/pipe`]);
      expectErrno('EINVAL', () => host.readText(`${folder}/pipe`));
      expectEqual(host.lstat(`${folder}/pipe`)?.kind, 'other');
    },
  },
  {
    name: 'a folder lists its names, sorted, also many of them',
    check(host, folder) {
      const names = Array.from({ length: 300 }, (_, at) => `n${at}`);
      for (const name of names) host.writeNew(`${folder}/${name}`, '', 0o644);
      expectEqual(host.list(folder), names.sort());
    },
  },
  {
    name: 'nothing is written over what is there, not even through a dangling link',
    check(host, folder) {
      host.writeNew(`${folder}/a`, 'first', 0o644);
      host.symlink('elsewhere', `${folder}/l`);
      expectErrno('EEXIST', () => host.writeNew(`${folder}/a`, 'second', 0o644));
      expectErrno('EEXIST', () => host.writeNew(`${folder}/l`, 'second', 0o644));
      expectErrno('EEXIST', () => host.symlink('x', `${folder}/a`));
      expectErrno('EEXIST', () => host.copyNew(`${folder}/a`, `${folder}/l`, 0o644));
      expectEqual(host.readText(`${folder}/a`), 'first');
      expectEqual(host.list(folder), ['a', 'l']);
    },
  },
  {
    name: 'errors name the errno, the operation and the path',
    check(host, folder) {
      const error = expectErrno('ENOENT', () => host.writeNew(`${folder}/no/such`, '', 0o644));
      expectTrue(error instanceof HostError, 'a HostError');
      expectEqual([error.operation, error.path], ['create', `${folder}/no/such`]);
      expectErrno('EINVAL', () => host.writeNew(`${folder}/a\0b`, '', 0o644));
      expectErrno('ENAMETOOLONG', () => host.writeNew(`${folder}/${'x'.repeat(300)}`, '', 0o644));
    },
  },
  {
    name: 'a disk that is full is ENOSPC, and the half of the file is gone',
    check(host, folder) {
      // Only who may mount has a small disk to fill: root outside a locked-down container.
      if (host.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).code !== 0) return;
      try {
        expectErrno('ENOSPC', () => host.writeNew(`${folder}/big`, 'x'.repeat(200_000), 0o644));
        expectEqual(host.list(folder), []);
        expectErrno('ENOSPC', () => host.copyNew('/bin/sh', `${folder}/sh`, 0o755));
        expectEqual(host.list(folder), []);
      } finally {
        host.run(['umount', folder]);
      }
    },
  },
  {
    name: 'a copy has the same bytes, its own mode, and tells how far it is',
    check(host, folder) {
      const bytes = new Uint8Array(2_500_000).map((_, at) => (at * 31) & 255);
      host.writeNew(`${folder}/from`, bytes, 0o600);
      const told: number[] = [];
      host.copyNew(`${folder}/from`, `${folder}/to`, 0o755, (done) => told.push(done));
      expectEqual(host.run(['cmp', `${folder}/from`, `${folder}/to`]).code, 0);
      expectEqual(host.stat(`${folder}/to`)?.mode, 0o755);
      expectEqual(told, [1_048_576, 2_097_152, 2_500_000]);
      expectErrno('ENOENT', () => host.copyNew(`${folder}/none`, `${folder}/other`, 0o644));
      expectEqual(host.list(folder), ['from', 'to']);
    },
  },
  {
    name: 'a copy whose progress throws leaves nothing',
    check(host, folder) {
      host.writeNew(`${folder}/from`, 'x'.repeat(10), 0o600);
      let thrown: unknown;
      try {
        host.copyNew(`${folder}/from`, `${folder}/to`, 0o644, () => {
          throw new Error('stop');
        });
      } catch (error) {
        thrown = error;
      }
      expectEqual((thrown as Error | undefined)?.message, 'stop');
      expectEqual(host.list(folder), ['from']);
    },
  },
  {
    name: 'a link is switched in one step by rename',
    check(host, folder) {
      host.symlink('old', `${folder}/link`);
      host.symlink('new', `${folder}/.link`);
      host.rename(`${folder}/.link`, `${folder}/link`);
      expectEqual(host.readlink(`${folder}/link`), 'new');
      expectEqual(host.list(folder), ['link']);
      expectErrno('ENOENT', () => host.rename(`${folder}/none`, `${folder}/x`));
    },
  },
  {
    name: 'a hard link is the same file',
    check(host, folder) {
      host.writeNew(`${folder}/a`, 'x', 0o644);
      host.link(`${folder}/a`, `${folder}/b`);
      const [a, b] = [host.stat(`${folder}/a`), host.stat(`${folder}/b`)];
      expectEqual([a?.inode, a?.device], [b?.inode, b?.device]);
      expectErrno('EEXIST', () => host.link(`${folder}/a`, `${folder}/b`));
    },
  },
  {
    name: 'only a link can be read as one',
    check(host, folder) {
      host.writeNew(`${folder}/a`, 'x', 0o644);
      expectErrno('EINVAL', () => host.readlink(`${folder}/a`));
    },
  },
  {
    name: 'removing says whether there was something',
    check(host, folder) {
      host.writeNew(`${folder}/a`, 'x', 0o644);
      expectEqual(host.mkdir(`${folder}/d`, 0o755), true);
      expectErrno('EISDIR', () => host.unlink(`${folder}/d`));
      expectErrno('ENOTDIR', () => host.rmdir(`${folder}/a`));
      host.writeNew(`${folder}/d/x`, 'x', 0o644);
      expectErrno('ENOTEMPTY', () => host.rmdir(`${folder}/d`));
      expectEqual([host.unlink(`${folder}/d/x`), host.unlink(`${folder}/d/x`)], [true, false]);
      expectEqual([host.rmdir(`${folder}/d`), host.rmdir(`${folder}/d`)], [true, false]);
      expectEqual(host.unlink(`${folder}/a`), true);
    },
  },
  {
    name: 'making a folder twice is no error, making it over a file is',
    check(host, folder) {
      expectEqual([host.mkdir(`${folder}/d`, 0o777), host.mkdir(`${folder}/d`, 0o700)], [true, false]);
      expectEqual(host.stat(`${folder}/d`)?.mode, 0o777);
      host.writeNew(`${folder}/f`, '', 0o644);
      expectErrno('EEXIST', () => host.mkdir(`${folder}/f`, 0o755));
      host.symlink('d', `${folder}/l`);
      expectErrno('EEXIST', () => host.mkdir(`${folder}/l`, 0o755));
    },
  },
  {
    name: 'files and folders can be synced, links and what is missing cannot',
    check(host, folder) {
      host.writeNew(`${folder}/a`, 'x', 0o644);
      host.symlink('a', `${folder}/l`);
      host.sync(`${folder}/a`);
      host.sync(folder);
      expectErrno('ELOOP', () => host.sync(`${folder}/l`));
      expectErrno('ENOENT', () => host.sync(`${folder}/none`));
    },
  },
  {
    name: 'the room on a file system is what df says',
    check(host, folder) {
      const { free, total, freeFiles } = host.space(folder);
      const { stdout } = host.run(['df', '-B1', '--output=size', folder]);
      expectEqual(total, Number(stdout.split('\n')[1]));
      expectTrue(free > 0 && free <= total && freeFiles >= 0, `${free} of ${total}`);
      expectErrno('ENOENT', () => host.space(`${folder}/none`));
    },
  },
  {
    name: 'a lock is held against others until it is given back',
    check(host, folder) {
      const first = host.lock(`${folder}/lock`, 0);
      expectTrue(first !== undefined, 'the first gets it');
      expectEqual(host.stat(`${folder}/lock`)?.mode, 0o600);
      expectEqual(host.lock(`${folder}/lock`, 0), undefined);
      const tried = host.uptime();
      expectEqual(host.lock(`${folder}/lock`, 0.3), undefined);
      expectTrue(host.uptime() - tried > 0.25, 'it waited');
      expectEqual(host.run(['flock', '-n', `${folder}/lock`, 'true']).code, 1);
      first?.release();
      expectEqual(host.run(['flock', '-n', `${folder}/lock`, 'true']).code, 0);
      const second = host.lock(`${folder}/lock`, 0);
      expectTrue(second !== undefined, 'the second gets it then');
      second?.release();
    },
  },
  {
    name: 'a program gives its output, its errors and its exit code',
    check(host) {
      expectEqual(host.run(['sh', '-c', 'printf out; printf err >&2; exit 7']), {
        ended: 'exit',
        code: 7,
        signal: undefined,
        stdout: 'out',
        stderr: 'err',
      });
    },
  },
  {
    name: 'words reach a program as they are',
    check(host) {
      const words = ['', 'a b', '$HOME', "'", '*', 'ü', '-n'] as const;
      expectEqual(host.run(['printf', '<%s>', ...words]).stdout, words.map((word) => `<${word}>`).join(''));
    },
  },
  {
    name: 'a program has the environment that is given and no other',
    check(host) {
      const { stdout } = host.run(['/usr/bin/env'], { env: { A: '1', B: 'x=y' } });
      expectEqual(stdout, 'A=1\nB=x=y\n');
      expectTrue(
        host.run(['sh', '-c', 'echo $LC_ALL']).stdout === 'C.UTF-8\n',
        'the default has the C locale',
      );
    },
  },
  {
    name: 'a program is looked up in the PATH that it is given',
    check(host, folder) {
      host.writeNew(`${folder}/mine`, '#!/bin/sh\necho mine\n', 0o755);
      expectEqual(host.run(['mine'], { env: { PATH: folder } }).stdout, 'mine\n');
      expectErrno('ENOENT', () => host.run(['mine']));
      expectErrno('ENOENT', () => host.run([`${folder}/none`]));
      host.writeNew(`${folder}/plain`, 'x', 0o644);
      expectErrno('EACCES', () => host.run([`${folder}/plain`]));
    },
  },
  {
    name: 'input reaches a program whole, also when it answers at once',
    check(host) {
      const input = 'line of text\n'.repeat(60_000);
      const { code, stdout } = host.run(['cat'], { input });
      expectEqual([code, stdout === input], [0, true]);
      expectEqual(host.run(['cat']).stdout, '');
    },
  },
  {
    name: 'a program that does not read its input is no failure',
    check(host) {
      const { ended, code } = host.run(['true'], { input: 'x'.repeat(1_000_000) });
      expectEqual([ended, code], ['exit', 0]);
    },
  },
  {
    name: 'a program ended by a signal says which',
    check(host) {
      const { ended, code, signal } = host.run(['sh', '-c', 'kill -TERM $$']);
      expectEqual([ended, code, signal], ['signal', undefined, 15]);
    },
  },
  {
    name: 'a program that takes too long is ended with all that it started',
    check(host, folder) {
      const began = host.uptime();
      const script = `(sleep 3; echo late >${folder}/late) & echo early; wait`;
      const { ended, stdout } = host.run(['sh', '-c', script], { timeoutSeconds: 0.5 });
      expectEqual([ended, stdout], ['timeout', 'early\n']);
      expectTrue(host.uptime() - began < 2.9, 'it was not waited for');
      host.sleep(3);
      expectEqual(host.stat(`${folder}/late`), undefined);
    },
  },
  {
    name: 'a program that closes its output and goes on is waited for, up to the limit',
    check(host) {
      const silent = (seconds: number) => ['sh', '-c', `exec >&- 2>&-; sleep ${seconds}; exit 3`] as const;
      expectEqual(host.run([...silent(0.3)]).code, 3);
      expectEqual(host.run([...silent(5)], { timeoutSeconds: 0.4 }).ended, 'timeout');
    },
  },
  {
    name: 'a program that writes too much is ended, with what was taken',
    check(host) {
      const { ended, stdout } = host.run(['yes'], { outputLimit: 100_000 });
      expectEqual([ended, stdout.length], ['limit', 100_000]);
      expectEqual(host.run(['sh', '-c', 'head -c 1000 /dev/zero'], { outputLimit: 1000 }).ended, 'exit');
    },
  },
  {
    name: 'output that is not UTF-8 is shown with replacement characters',
    check(host) {
      expectEqual(host.run(['printf', 'a\\377b']).stdout, 'a\ufffdb');
      expectEqual(host.decode(new Uint8Array([0x61, 0xff, 0x62])), 'a\ufffdb');
      expectEqual(host.decode(host.encode('ü\u{1f9ed}')), 'ü\u{1f9ed}');
    },
  },
  {
    name: 'a datagram arrives whole; where nobody listens is an error',
    check(host, folder) {
      expectErrno('ENOENT', () => host.sendDatagram(`${folder}/none`, host.encode('x')));
      const listener =
        'socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, sockaddr_un("$ARGV[0]/s")); recv(S, my $m, 65536, 0); open(F, ">", "$ARGV[0]/t"); print F $m; close(F); rename("$ARGV[0]/t", "$ARGV[0]/got")';
      const background = 'perl -MSocket -e "$0" "$1" >/dev/null 2>&1 </dev/null &';
      host.run(['sh', '-c', background, listener, folder]);
      const until = (path: string) => {
        for (let tries = 0; tries < 200 && host.lstat(path) === undefined; tries += 1) host.sleep(0.02);
      };
      until(`${folder}/s`);
      host.sendDatagram(`${folder}/s`, host.encode('A=1\nB\n\0\u0001ü\n'));
      until(`${folder}/got`);
      expectEqual(host.readText(`${folder}/got`), 'A=1\nB\n\0\u0001ü\n');
      expectErrno('ECONNREFUSED', () => host.sendDatagram(`${folder}/s`, host.encode('x')));
    },
  },
  {
    name: 'time goes on by what was slept, and is the time since the machine started',
    check(host) {
      const before = host.uptime();
      host.sleep(0.2);
      const passed = host.uptime() - before;
      expectTrue(passed >= 0.18 && passed < 2, `${passed} s passed`);
      const said = Number((host.readText('/proc/uptime') ?? '').split(' ')[0]);
      expectTrue(Math.abs(host.uptime() - said) < 1, `${host.uptime()} is not ${said}`);
      expectTrue(host.wallClock() > 1_700_000_000_000, 'milliseconds since 1970');
    },
  },
  {
    name: 'who runs this is what id says',
    check(host) {
      expectEqual(String(host.userId()), host.run(['id', '-u']).stdout.trim());
    },
  },
];
