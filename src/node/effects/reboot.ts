import { toFailure } from '../failure.ts';
import { DEFAULT_ENVIRONMENT, type Host } from '../host/host.ts';
import { inInitramfs } from '../observe/slot.ts';
import { runProgram } from '../programs.ts';

/**
 * Restarts the machine: an orderly shutdown once the real root runs; at once in the initramfs stage, where nothing runs that had to be
 * ended and where systemctl takes us for a chroot that is no business of its. All that matters has been synced by then.
 */
export function reboot(host: Host): void {
  if (!inInitramfs(host)) {
    runProgram(host, 'systemctl', ['reboot']);
    return;
  }
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
