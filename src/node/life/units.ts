import type { Host } from '../host/host.ts';
import { runProgram } from '../programs.ts';
import type { LifeSettings } from './settings.ts';

const UNITS = '/run/systemd/system';
const PROGRAM = '/opt/sextant/bin/sextant-node';
const WATCH_UNIT = 'sextant-watch.service';
const WATCHDOG_FILE = '/run/systemd/system.conf.d/10-sextant-trial.conf';
const PANIC_FILE = '/run/sysctl.d/10-sextant-trial.conf';

/** A file of this boot, gone with it. */
interface RuntimeFile {
  readonly path: string;
  readonly content: string;
}

/** Watches the pair that this boot runs, until its verdict; when the machine is shut down in an orderly way, gives the try back. */
export const WATCH_SERVICE = `[Unit]
Description=Watch whether Kubernetes becomes healthy on this generation
After=systemd-sysext.service
RequiresMountsFor=/opt/sextant
StartLimitIntervalSec=0

[Service]
ExecStart=${PROGRAM} watch
# Does something only while the machine shuts down.
ExecStop=${PROGRAM} shutdown
RemainAfterExit=yes
Restart=on-failure
RestartSec=10
TimeoutStopSec=60
OOMScoreAdjust=-900
StandardOutput=journal+console
`;

function mergeLimits(seconds: number): string {
  return `# Kairos gives the merge 5 seconds; on a busy boot it takes longer, and is not repeated.
[Unit]
JobRunningTimeoutSec=${seconds}

[Service]
TimeoutStartSec=${seconds}
`;
}

function watchdog(seconds: number): string {
  return `# While a generation is on trial: a machine that hangs is restarted. Without a watchdog device it does nothing.
[Manager]
RuntimeWatchdogSec=${seconds}
`;
}

/** Kairos' command line says panic=5; on one that says nothing a panic would wait for someone's hand. */
const RESTART_AFTER_PANIC = `# While a generation is on trial: a machine that panics is restarted.
kernel.panic = 10
`;

/**
 * The units and drop-ins of a boot. The merge's limits sort before those of the activation (zz-sextant.conf), which a person may have
 * chosen. systemd opens the watchdog device as soon as there is one, so it is not looked for here, before its driver is loaded.
 */
function unitFiles(settings: LifeSettings, watchdogWanted: boolean, panicWanted: boolean): RuntimeFile[] {
  return [
    { path: `${UNITS}/${WATCH_UNIT}`, content: WATCH_SERVICE },
    {
      path: `${UNITS}/systemd-sysext.service.d/zz-sextant-node.conf`,
      content: mergeLimits(settings.mergeSeconds),
    },
    ...(watchdogWanted && settings.watchdogSeconds > 0
      ? [{ path: WATCHDOG_FILE, content: watchdog(settings.watchdogSeconds) }]
      : []),
    ...(panicWanted ? [{ path: PANIC_FILE, content: RESTART_AFTER_PANIC }] : []),
  ];
}

/** Writes them, and the link that starts the watch with the boot. */
export function writeUnits(host: Host, settings: LifeSettings, onTrial: boolean): void {
  const waitsAfterPanic = host.readText('/proc/sys/kernel/panic')?.trim() === '0';
  const files = unitFiles(settings, onTrial && !watchdogIsSet(host), onTrial && waitsAfterPanic);
  for (const { path, content } of files) {
    makeParents(host, path);
    host.unlink(path);
    host.writeNew(path, content, 0o644);
  }
  const link = `${UNITS}/multi-user.target.wants/${WATCH_UNIT}`;
  makeParents(host, link);
  host.unlink(link);
  host.symlink(`../${WATCH_UNIT}`, link);
}

/** The watchdog is for trials. The manager reads its settings again when it reloads. */
export function endTrialWatchdog(host: Host): void {
  if (host.unlink(WATCHDOG_FILE)) runProgram(host, 'systemctl', ['daemon-reload'], { timeoutSeconds: 120 });
}

/** Somebody else has set the watchdog, which is then theirs (systemd-system.conf(5)). */
function watchdogIsSet(host: Host): boolean {
  const folder = '/etc/systemd/system.conf.d';
  const files = ['/etc/systemd/system.conf', ...(host.list(folder) ?? []).map((name) => `${folder}/${name}`)];
  return files.some((file) => /^RuntimeWatchdogSec=/m.test(host.readText(file) ?? ''));
}

function makeParents(host: Host, path: string): void {
  const parts = path.split('/').slice(1, -1);
  for (const count of parts.keys()) host.mkdir(`/${parts.slice(0, count + 1).join('/')}`, 0o755);
}
