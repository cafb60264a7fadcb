import { SextantError } from '../support/errors.ts';
import type { UserMap } from './namespaces.ts';
import { SETUP_STEP } from './sandbox-scripts.ts';

const HINTS: Readonly<Record<string, string>> = {
  namespaces:
    'allow user namespaces: sysctl -w user.max_user_namespaces=15000, and where they exist kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0; or run as root. In a container: --privileged, or --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined',
  overlay:
    'the cache must lie on a local file system such as ext4, xfs or btrfs, not on an overlay or a network share: set SEXTANT_CACHE; without root, Linux 5.11 or newer is needed',
  devices: 'this machine does not let a sandbox have /dev; in a container use --privileged',
  folders: 'this machine does not let a sandbox mount tmpfs; in a container use --privileged',
  loopback: 'install iproute2 here (apt-get install -y iproute2), or add it to hook.rootPackages',
  gate: 'run `make build` (or npm run build) so that build/sandbox-gate.js is there',
};

/** What to tell a person whose sandbox could not be made or broke: which step, what the system said, and the way out. */
export function sandboxFailure(stderr: string, started: boolean, userMap: UserMap): SextantError {
  const lines = stderr.trim().split('\n');
  const marker = lines.findLast((line) => line.startsWith(`${SETUP_STEP} `));
  const said = lines.filter((line) => line !== marker && line.trim() !== '');
  // What mount(8) adds about dmesg says nothing.
  const why = said.findLast((line) => !line.includes('dmesg(1)'))?.trim() ?? 'it ended without a word';
  const details = said.slice(-20).join('\n');
  if (started) {
    return new SextantError('tool', `the sandbox of the hook broke: ${why}`, {
      hint: 'see the build log; when memory ran out, free some and run again',
      details,
    });
  }
  const step =
    marker?.slice(SETUP_STEP.length + 1) ??
    (said.some((line) => line.startsWith("sextant's gate")) ? 'gate' : 'namespaces');
  const who = userMap === 'none' || userMap === 'all' ? 'as root' : 'without root';
  return new SextantError('tool', `the sandbox of the hook cannot be made here ${who} (${step}): ${why}`, {
    hint: HINTS[step] ?? 'run `sextant doctor` to see what this machine lacks',
    details,
  });
}
