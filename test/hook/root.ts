import { constants } from 'node:fs';
import { access, chmod, copyFile, cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from '../../src/support/subprocess.ts';

const PROGRAMS = [
  ...[
    'sh',
    'cat',
    'chmod',
    'chown',
    'cp',
    'id',
    'ln',
    'ls',
    'mkdir',
    'mktemp',
    'mv',
    'rm',
    'sleep',
    'stat',
    'touch',
    'uname',
  ],
  ...[
    'arch',
    'sha256sum',
    'mknod',
    'find',
    'grep',
    'sed',
    'setsid',
    'curl',
    'wget',
    'hostname',
    'readlink',
    'tty',
    'env',
  ],
];
const FOLDERS = ['/usr/local/bin', '/usr/local/sbin', '/usr/sbin', '/bin', '/sbin'];

/**
 * Makes a small root file system from this machine's own programs and the libraries that ldd names, merged /usr as Debian has it. It is
 * for tests only: what a build uses comes from Debian's packages.
 */
export async function makeRoot(folder: string): Promise<string> {
  for (const path of [
    'usr/bin',
    'usr/lib',
    'usr/lib64',
    'usr/sbin',
    'usr/local/bin',
    'etc/ssl/certs',
    'etc/systemd/system',
    'var/lib',
    'root',
    'tmp',
    'opt',
  ]) {
    await mkdir(join(folder, path), { recursive: true });
  }
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) await symlink(`usr/${name}`, join(folder, name));
  await chmod(join(folder, 'tmp'), 0o1777);
  await writeFile(
    join(folder, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  );
  await writeFile(join(folder, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  await mkdir(join(folder, 'opt/old/deep'), { recursive: true });
  await writeFile(join(folder, 'opt/old/file'), 'of the root\n');
  await writeFile(join(folder, 'opt/old/deep/file'), 'of the root\n');
  await writeFile(join(folder, 'opt/kept'), 'of the root\n');
  const copied = new Set<string>();
  const take = async (path: string, to: string) => {
    if (copied.has(to)) return;
    copied.add(to);
    await mkdir(dirname(join(folder, to)), { recursive: true });
    await copyFile(await realpath(path), join(folder, to), constants.COPYFILE_FICLONE);
  };
  for (const name of PROGRAMS) {
    const path = await find(name);
    await take(path, `usr/bin/${name}`);
    for (const library of await libraries(path)) await take(library, library.replace(/^\/(usr\/)?/, 'usr/'));
  }
  await cp('/etc/ssl/certs/ca-certificates.crt', join(folder, 'etc/ssl/certs/ca-certificates.crt')).catch(
    () => {},
  );
  return folder;
}

async function find(name: string): Promise<string> {
  for (const folder of ['/usr/bin', ...FOLDERS]) {
    const path = join(folder, name);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error(`${basename(name)} is needed for this test and is not installed`);
}

async function libraries(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program], { okCodes: [0, 1] });
  return [...stdout.toString().matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
}
