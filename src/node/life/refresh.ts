import { sha256OfFile } from '../digest.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';

const CARRIED = '/usr/lib/sextant/sextant-node';
const INSTALLED = '/opt/sextant/bin/sextant-node';

/**
 * Installs the sextant-node that the good extension carries, when it is another one. It has to run first: a program that does not start
 * would decide nothing at the next boot. Throws `tool` when it does not; then the old one stays.
 */
export function refreshProgram(host: Host): void {
  if (!host.stat(CARRIED) || sha256OfFile(host, CARRIED) === sha256OfFile(host, INSTALLED)) return;
  const fresh = `${INSTALLED}.new`;
  host.unlink(fresh);
  try {
    host.copyNew(CARRIED, fresh, 0o755);
    host.sync(fresh);
    const { ended, code } = host.run([fresh, '--version'], { timeoutSeconds: 30 });
    if (ended !== 'exit' || code !== 0)
      throw new Failure(
        'tool',
        `${CARRIED} does not run; the old sextant-node stays`,
        'report this with your release',
      );
    host.rename(fresh, INSTALLED);
  } finally {
    host.unlink(fresh);
  }
  host.sync(INSTALLED.slice(0, INSTALLED.lastIndexOf('/')));
}
