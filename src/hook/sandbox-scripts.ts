// The two shell scripts that make the sandbox. mount(2) has no binding in Node, and these run before there is anything else; they use
// only sh, util-linux (-n: no note in the host's /run/mount) and, for the loopback interface, iproute2 of the host or of the root.

/** Exit code of a script that stopped; its last line on stderr is `sextant-step STEP`. */
export const SETUP_STEP = 'sextant-step';

/** Capabilities that a container engine leaves to a build, without making device nodes and raw packets. */
const CAPABILITIES = [
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'net_bind_service',
  'sys_chroot',
  'setfcap',
];

/**
 * Runs as the first process of the new namespaces, in the sandbox's folder on the host: puts the overlay with its mounts together at
 * merged/, then becomes the gate. Arguments: root, overlay options, binfmt rule or "", then the gate's command.
 * Everything it mounts goes away with the mount namespace.
 */
export const SETUP = `
set -eu
step=
trap 'code=$?; [ "$code" = 0 ] || echo "${SETUP_STEP} $step" >&2' EXIT
root=$1 options=$2 rule=$3
shift 3
step=overlay
mount -n --bind -- "$root" root
mount -n -t overlay -o "nodev,$options" overlay merged
step=devices
mount -n -t tmpfs -o mode=755,nosuid,noexec tmpfs merged/dev
for node in null zero full random urandom tty; do
  : > "merged/dev/$node"
  mount -n --bind "/dev/$node" "merged/dev/$node"
done
ln -s /proc/self/fd merged/dev/fd
ln -s /proc/self/fd/0 merged/dev/stdin
ln -s /proc/self/fd/1 merged/dev/stdout
ln -s /proc/self/fd/2 merged/dev/stderr
mkdir -m 1777 merged/dev/shm
step=folders
mount -n -t tmpfs -o mode=555,ro,nosuid,nodev,noexec tmpfs merged/sys
mount -n -t tmpfs -o mode=755,nosuid,nodev tmpfs merged/run
mkdir -m 1777 merged/run/lock
mkdir merged/run/sextant
mount -n --bind sextant merged/run/sextant
mount -n -o remount,bind,ro merged/run/sextant
mount -n --bind tmp merged/tmp
mount -n -o remount,bind,nosuid,nodev merged/tmp
{ echo sextant > /proc/sys/kernel/hostname; } 2> /dev/null || hostname sextant 2> /dev/null ||
  chroot merged hostname sextant 2> /dev/null || echo "the hook sees this machine's host name" >&2
step=loopback
ip link set lo up 2> /dev/null || chroot merged ip link set lo up
step=binfmt
if [ -n "$rule" ]; then
  if mount -n -t binfmt_misc binfmt_misc binfmt 2> /dev/null && printf '%s' "$rule" > binfmt/register; then
    : > private-binfmt
  fi
fi
step=gate
exec "$@"
`;

/**
 * Runs one program in the sandbox, from inside its namespaces: a process tree and a /proc of its own, merged/ as the root (moved over the
 * host's, which no path leads to any more: what switch_root(8) does), few capabilities. Arguments: PATH in the sandbox, program, its arguments.
 */
export const ENTER = `
set -eu
trap 'code=$?; [ "$code" = 0 ] || echo "${SETUP_STEP} enter" >&2' EXIT
mount -n -t proc -o ro,nosuid,nodev,noexec proc merged/proc
cd merged
mount -n --move . /
if command -v setpriv > /dev/null; then
  set -- setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,${CAPABILITIES.map((name) => `+${name}`).join(',')} -- \\
    chroot . /bin/sh -c 'PATH=$1; export PATH; unset OLDPWD; shift; umask 022; "$@"; exit $?' sh "$@"
else
  set -- chroot . /bin/sh -c 'PATH=$1; export PATH; unset OLDPWD; shift; umask 022; "$@"; exit $?' sh "$@"
fi
exec "$@"
`;

/** Waits until the parent has written this user namespace's maps; the next program then runs as its root, with its capabilities. */
export const AWAIT_MAPS = `
until read -r line < /proc/self/uid_map; do sleep 0.01; done
exec "$@"
`;

/** Makes a user namespace in which every id is itself (only root may), and runs the arguments in it. */
export const MAP_ALL = `
set -eu
maps() { while read -r first _ count; do echo "$first $first $count"; done; }
users=$(maps < /proc/self/uid_map)
groups=$(maps < /proc/self/gid_map)
waiter=$1
shift
unshare --user sh -c "$waiter" sh "$@" &
child=$!
until [ "$(readlink /proc/self/ns/user)" != "$(readlink "/proc/$child/ns/user")" ]; do sleep 0.01; done
printf '%s\\n' "$groups" > "/proc/$child/gid_map"
printf '%s\\n' "$users" > "/proc/$child/uid_map"
wait "$child"
`;
