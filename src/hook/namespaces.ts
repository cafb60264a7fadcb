import { readFile, readlink } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { run } from '../support/subprocess.ts';
import { AWAIT_MAPS, MAP_ALL } from './sandbox-scripts.ts';

/** Which users exist in the sandbox. */
export type UserMap =
  /** No user namespace: the caller is root. */
  | 'none'
  /** A user namespace in which root maps every id to itself. */
  | 'all'
  /** The caller is root inside, and its subordinate ids (subuid(5)) are the others. */
  | 'subordinate'
  /** The caller is root inside and there is nobody else: chown to another user fails. */
  | 'single';

/** The first user namespace; the kernel gives it this fixed inode number (PROC_USER_INIT_INO in include/linux/proc_ns.h). */
const INITIAL_NAMESPACE = 'user:[4026531837]';

/** Chooses the users of the sandbox. `foreign`: a user namespace is wanted for a binfmt_misc of its own, also by root. */
export async function chooseUserMap(foreign: boolean): Promise<UserMap> {
  if (process.getuid?.() === 0) return foreign && (await userNamespacesAllowed()) ? 'all' : 'none';
  return (await hasSubordinateIds()) ? 'subordinate' : 'single';
}

/** True where this process is in the machine's first user namespace; elsewhere overlayfs needs its `userxattr` option. */
export async function inInitialNamespace(): Promise<boolean> {
  return (await readlink('/proc/self/ns/user').catch(() => '')) === INITIAL_NAMESPACE;
}

/** The command that runs `program` in new namespaces that end with it; nothing of them outlives a SIGKILL of the process group. */
export function namespaceCommand(
  map: UserMap,
  program: readonly string[],
): { command: string; args: string[] } {
  const spaces = ['--mount', '--pid', '--net', '--ipc', '--uts', '--fork', '--kill-child', '--mount-proc'];
  if (map === 'all') {
    return {
      command: 'sh',
      args: ['-c', MAP_ALL, 'sh', AWAIT_MAPS, 'unshare', ...spaces, '--', ...program],
    };
  }
  const users = {
    none: [],
    single: ['--user', '--map-root-user'],
    subordinate: ['--user', '--map-root-user', '--map-auto'],
  }[map];
  return { command: 'unshare', args: [...users, ...spaces, '--', ...program] };
}

async function userNamespacesAllowed(): Promise<boolean> {
  return run('unshare', ['--user', '--map-root-user', '--mount', 'true'], { timeoutSeconds: 10 }).then(
    () => true,
    () => false,
  );
}

/** Whether newuidmap and a range of subordinate ids are there, tried out. */
async function hasSubordinateIds(): Promise<boolean> {
  const name = userName();
  const ranges = await readFile('/etc/subuid', 'utf8').catch(() => '');
  const mine = ranges
    .split('\n')
    .some((line) => [name, String(process.getuid?.())].includes(line.split(':')[0] ?? ''));
  if (!mine) return false;
  return run('unshare', ['--user', '--map-root-user', '--map-auto', 'true'], { timeoutSeconds: 10 }).then(
    () => true,
    () => false,
  );
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // A user id without an entry in passwd.
  }
}
