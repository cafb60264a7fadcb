import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { hostArchitecture } from '../support/architecture.ts';
import { toSextantError } from '../support/errors.ts';
import { bytesText } from '../support/progress.ts';
import { run } from '../support/subprocess.ts';

export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'missing' | 'limited';
  /** What was found, or what is wrong. */
  readonly found: string;
  /** What needs it. */
  readonly purpose: string;
  /** Command or sentence that mends it; only when not ok. */
  readonly fix?: string;
}

const NEEDED_BYTES = 15 * 1024 ** 3;

/** What this machine has of what builds need, and how to mend the rest. Asks nothing of the network. */
export async function checkMachine(cache: string): Promise<Check[]> {
  return Promise.all([
    node(),
    architecture(),
    program('go', ['version'], 'go-module components', 'install Go 1.21 or newer: https://go.dev/dl/'),
    program('xz', ['--version'], 'Debian packages', 'apt-get install -y xz-utils'),
    program('zstd', ['--version'], 'archives and packages compressed with zstd', 'apt-get install -y zstd'),
    program('unshare', ['--version'], "the hook's sandbox", 'apt-get install -y util-linux'),
    namespaces(),
    overlay(),
    binfmt(),
    space(cache),
    guests(),
  ]);
}

async function node(): Promise<Check> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const base = { name: 'node', found: process.version, purpose: 'sextant itself' };
  if (major > 20 || (major === 20 && minor >= 19)) return { ...base, state: 'ok' };
  return { ...base, state: 'missing', fix: 'install Node.js 20.19 or newer: https://nodejs.org/' };
}

async function architecture(): Promise<Check> {
  const host = hostArchitecture();
  const base = { name: 'architecture', purpose: 'tools that run on this machine' };
  if (host !== undefined) return { ...base, state: 'ok', found: host };
  return { ...base, state: 'missing', found: process.arch, fix: 'build on an amd64 or arm64 machine' };
}

async function program(name: string, args: readonly string[], purpose: string, fix: string): Promise<Check> {
  try {
    const { stdout } = await run(name, args, { timeoutSeconds: 10 });
    return { name, state: 'ok', found: stdout.toString().split('\n')[0]?.trim() ?? '', purpose };
  } catch (error) {
    return { name, state: 'missing', found: toSextantError(error).message, purpose, fix };
  }
}

/** Tries a command in fresh namespaces: as root with a mount namespace, otherwise with a user namespace as well. */
function inNamespace(script: string) {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  return run('unshare', [...user, '--mount', '--net', '--pid', '--fork', 'sh', '-c', script], {
    timeoutSeconds: 10,
  });
}

async function namespaces(): Promise<Check> {
  const base = { name: 'namespaces', purpose: "the hook's sandbox" };
  try {
    await inNamespace('true');
    return { ...base, state: 'ok', found: process.getuid?.() === 0 ? 'as root' : 'user namespace' };
  } catch {
    return {
      ...base,
      state: 'missing',
      found: 'not permitted',
      fix: 'sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0, or run as root',
    };
  }
}

async function overlay(): Promise<Check> {
  const base = { name: 'overlayfs', purpose: "the hook's sandbox" };
  try {
    await inNamespace(
      'mount -t tmpfs t /mnt && mkdir /mnt/l /mnt/u /mnt/w /mnt/m && mount -t overlay o -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m',
    );
    return { ...base, state: 'ok', found: 'mounts' };
  } catch {
    return {
      ...base,
      state: 'missing',
      found: 'cannot be mounted',
      fix: 'use Linux 5.11 or newer with overlayfs, or run as root',
    };
  }
}

async function guests(): Promise<Check> {
  const found = await program(
    'qemu-system-x86_64',
    ['--version'],
    'the lab (`sextant lab`)',
    'apt-get install -y qemu-system-x86 qemu-utils e2fsprogs',
  );
  return found.state === 'missing' ? { ...found, state: 'limited' } : found;
}

async function binfmt(): Promise<Check> {
  const base = { name: 'binfmt_misc', purpose: 'hooks for the other architecture (else declared shims)' };
  const script =
    'mount -t binfmt_misc b /proc/sys/fs/binfmt_misc && test -e /proc/sys/fs/binfmt_misc/register';
  try {
    await run(
      'unshare',
      ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc', 'sh', '-c', script],
      {
        timeoutSeconds: 10,
      },
    );
    return { ...base, state: 'ok', found: 'private to a namespace' };
  } catch {
    return {
      ...base,
      state: 'limited',
      found: 'not private to a namespace',
      fix: 'use Linux 6.7 or newer to run foreign programs by any path',
    };
  }
}

async function space(cache: string): Promise<Check> {
  const base = { name: 'cache', purpose: 'fetched and built files' };
  try {
    await mkdir(cache, { recursive: true });
    await access(cache, constants.W_OK);
    const { bavail, bsize } = await statfs(cache);
    const free = bavail * bsize;
    const found = `${cache}, ${bytesText(free)} free`;
    if (free >= NEEDED_BYTES) return { ...base, state: 'ok', found };
    return {
      ...base,
      state: 'limited',
      found,
      fix: `a build with Kubernetes takes up to ${bytesText(NEEDED_BYTES)}: set SEXTANT_CACHE to a larger disk, or \`sextant cache prune\``,
    };
  } catch (error) {
    return {
      ...base,
      state: 'missing',
      found: toSextantError(error).message,
      fix: 'set SEXTANT_CACHE to a folder that can be written',
    };
  }
}
