import { toFailure } from '../failure.ts';
import { DEFAULT_ENVIRONMENT, type Host } from '../host/host.ts';
import { inInitramfs } from '../observe/slot.ts';
import { runProgram } from '../programs.ts';

/** How often whoever holds a restart back is asked again, and how many seconds apart. */
const ATTEMPTS = 24;
const AGAIN_SECONDS = 5;

/**
 * Restarts the machine: an orderly shutdown once the real root runs; at once in the initramfs stage, where nothing runs that had to be
 * ended and where systemctl takes us for a chroot that is no business of its. All that matters has been synced by then.
 */
export function reboot(host: Host): void {
  if (inInitramfs(host)) rebootAtOnce(host);
  else rebootInOrder(host);
}

/**
 * Where logind refuses, somebody holds an inhibitor lock: since systemd 257 it stops root as well, and Kairos holds one whenever it runs its
 * stage reconcile (cos-setup-reconcile.timer: five minutes after every boot, then hourly). Such a lock is waited for, then passed by: what
 * restarts here has left a pair behind or has stopped Kubernetes for it, and the manager itself knows no locks.
 */
function rebootInOrder(host: Host): void {
  const refused = refusal(host);
  if (refused === undefined) return;
  const seconds = ATTEMPTS * AGAIN_SECONDS;
  host.err(
    `sextant: ${refused}; waiting up to ${seconds} s for who holds it back (systemd-inhibit --list says who)\n`,
  );
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    host.sleep(AGAIN_SECONDS);
    if (refusal(host) === undefined) return;
  }
  host.err('sextant: restarting in spite of it\n');
  const past = ['start', '--no-block', '--job-mode=replace-irreversibly', 'reboot.target'];
  runProgram(host, 'systemctl', past);
}

/** Asks for a restart; what was said against it, or undefined. */
function refusal(host: Host): string | undefined {
  try {
    runProgram(host, 'systemctl', ['reboot']);
    return undefined;
  } catch (error) {
    return toFailure(error).message;
  }
}

function rebootAtOnce(host: Host): void {
  try {
    const env = { ...DEFAULT_ENVIRONMENT, SYSTEMD_IGNORE_CHROOT: '1' };
    runProgram(host, 'systemctl', ['reboot', '--force', '--force'], { env });
  } catch (error) {
    host.err(`sextant: ${toFailure(error).message}; restarting by the kernel's own means\n`);
    // Read-only first: that empties the journals (Documentation/admin-guide/sysrq.rst). It is done in the background.
    runProgram(host, 'tee', ['/proc/sysrq-trigger'], { input: 'u' });
    host.sleep(2);
    runProgram(host, 'tee', ['/proc/sysrq-trigger'], { input: 'b' });
  }
}
