import type { Host } from '../host/host.ts';
import { ENABLED_FOLDER, isOurs, rootHashFile } from '../model/paths.ts';
import { enabledExtensions } from '../observe/store.ts';
import { runProgram } from '../programs.ts';
import { reloadManager } from './reload-manager.ts';

/** What merges: at a boot, and again when it is restarted. */
export const MERGE_SERVICE = 'systemd-sysext.service';

/** Merges what /run/extensions links now, with the policy and the time limits that this boot's drop-ins give. */
export function remerge(host: Host): void {
  reloadManager(host);
  runProgram(host, 'systemctl', ['reset-failed', MERGE_SERVICE], { okCodes: [0, 1, 5] });
  runProgram(host, 'systemctl', ['restart', MERGE_SERVICE], { timeoutSeconds: 600 });
}

/** Lets the extension that is merged now activate itself: what it wants started was not there when the boot was planned. */
export function startAfterMerge(host: Host): void {
  const activate = '/usr/lib/sextant/activate';
  if (host.stat(activate)) host.run([activate], { timeoutSeconds: 300 });
}

/** Takes our extensions, and only them, out of the next merge. */
export function unlinkOurs(host: Host): void {
  for (const [name, target] of Object.entries(enabledExtensions(host))) {
    if (!isOurs(target)) continue;
    host.unlink(`${ENABLED_FOLDER}/${name}`);
    host.unlink(`${ENABLED_FOLDER}/${rootHashFile(name)}`);
  }
}
