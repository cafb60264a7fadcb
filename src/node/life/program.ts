import { sha256OfFile } from '../digest.ts';
import { Failure } from '../failure.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { CARRIED_PROGRAM, folderOf, NODE_PROGRAM } from '../model/paths.ts';

/** Installs the sextant-node that the extension carries, else this very one. */
export function installProgram(host: Host): void {
  replaceProgram(host, host.stat(CARRIED_PROGRAM) ? CARRIED_PROGRAM : '/proc/self/exe');
}

/**
 * Installs the sextant-node that the good extension carries, when it is another one. It has to run first: a program that does not start
 * would decide nothing at the next boot. Throws `tool` when it does not; then the old one stays.
 */
export function refreshProgram(host: Host): void {
  if (!host.stat(CARRIED_PROGRAM)) return;
  if (sha256OfFile(host, CARRIED_PROGRAM) === sha256OfFile(host, NODE_PROGRAM)) return;
  replaceProgram(host, CARRIED_PROGRAM, (fresh) => {
    const { ended, code } = host.run([fresh, '--version'], { timeoutSeconds: 30 });
    if (ended === 'exit' && code === 0) return;
    throw new Failure(
      'tool',
      `${CARRIED_PROGRAM} does not run; the old sextant-node stays`,
      'report this with your release',
    );
  });
}

/** A copy takes the installed one's place, durably; the old one stays when `check` of the copy throws. */
function replaceProgram(host: Host, from: string, check: (fresh: string) => void = () => {}): void {
  const folder = folderOf(NODE_PROGRAM);
  const fresh = `${folder}/.sextant-node.new`;
  makeFolders(host, folder);
  host.unlink(fresh);
  try {
    host.copyNew(from, fresh, 0o755);
    host.sync(fresh);
    check(fresh);
    host.rename(fresh, NODE_PROGRAM);
  } finally {
    host.unlink(fresh);
  }
  host.sync(folder);
}
