import type { Host } from '../host/host.ts';
import { runProgram } from '../programs.ts';

/** systemd reads its units and its own settings again; on a busy boot that takes long. */
export function reloadManager(host: Host): void {
  runProgram(host, 'systemctl', ['daemon-reload'], { timeoutSeconds: 120 });
}
