import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Programs that only `update-alternatives` or a maintainer script would give a name: link -> candidates, first present wins. */
const ALTERNATIVES: Readonly<Record<string, readonly string[]>> = {
  sh: ['dash', 'bash'],
  awk: ['mawk', 'gawk'],
  which: ['which.debianutils'],
};

const NSSWITCH = 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n';
const HOSTS = '127.0.0.1 localhost\n::1 localhost\n';
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const GROUP = 'root:x:0:\nnogroup:x:65534:\n';

/**
 * Makes unpacked packages a usable root: what maintainer scripts would have made and programs cannot do without. Accounts (from
 * base-passwd's lists where it is there), name lookup, mount points, /tmp, the bundle of certificate authorities of ca-certificates,
 * sh and awk. No ldconfig: the dynamic loader knows Debian's library folders. Set-uid and set-gid bits go, since the files belong to
 * whoever built the folder.
 */
export async function finishRoot(root: string): Promise<void> {
  for (const folder of ['dev', 'etc', 'proc', 'run', 'sys', 'var', 'root']) {
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 });
  }
  for (const folder of ['tmp', 'var/tmp']) {
    await mkdir(join(root, folder), { recursive: true });
    await chmod(join(root, folder), 0o1777);
  }
  for (const [name, candidates] of Object.entries(ALTERNATIVES)) {
    const link = join(root, 'usr/bin', name);
    if (await exists(link)) continue;
    for (const candidate of candidates) {
      if (!(await exists(join(root, 'usr/bin', candidate)))) continue;
      await symlink(candidate, link);
      break;
    }
  }
  await write(root, 'etc/passwd', (await text(root, 'usr/share/base-passwd/passwd.master')) ?? PASSWD);
  await write(root, 'etc/group', (await text(root, 'usr/share/base-passwd/group.master')) ?? GROUP);
  await write(root, 'etc/nsswitch.conf', NSSWITCH);
  await write(root, 'etc/hosts', HOSTS);
  await certificateBundle(root);
  await clearSetId(root);
}

/** As update-ca-certificates(8) does with every certificate trusted. */
async function certificateBundle(root: string): Promise<void> {
  const folder = join(root, 'usr/share/ca-certificates');
  if (!(await exists(folder))) return;
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.crt')).sort();
  const certificates = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  const bundle = certificates.map((certificate) => `${certificate.trimEnd()}\n`).join('');
  await write(root, 'etc/ssl/certs/ca-certificates.crt', bundle);
}

async function clearSetId(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      await clearSetId(path);
    } else if (entry.isFile()) {
      const { mode } = await lstat(path);
      if (mode & 0o6000) await chmod(path, mode & 0o777);
    }
  }
}

/** Writes a file that no package brought; parents are real folders of the root, never links out of it. */
async function write(root: string, path: string, content: string): Promise<void> {
  const file = join(root, path);
  if (await exists(file)) return;
  await mkdir(join(file, '..'), { recursive: true, mode: 0o755 });
  await writeFile(file, content, { flag: 'wx' });
  await chmod(file, 0o644);
}

async function text(root: string, path: string): Promise<string | undefined> {
  return readFile(join(root, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
