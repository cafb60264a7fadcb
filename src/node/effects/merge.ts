import type { Host } from '../host/host.ts';
import { ENABLED_FOLDER, isOurs } from '../model/paths.ts';
import { enabledExtensions } from '../observe/store.ts';
import { runProgram } from '../programs.ts';

const SERVICE = 'systemd-sysext.service';

/** Merges what /run/extensions links now, with the policy and the time limits that this boot's drop-ins give. */
export function remerge(host: Host): void {
  runProgram(host, 'systemctl', ['daemon-reload'], { timeoutSeconds: 120 });
  runProgram(host, 'systemctl', ['reset-failed', SERVICE], { okCodes: [0, 1, 5] });
  runProgram(host, 'systemctl', ['restart', SERVICE], { timeoutSeconds: 600 });
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
    host.unlink(`${ENABLED_FOLDER}/${name.replace(/raw$/, 'roothash')}`);
  }
}
