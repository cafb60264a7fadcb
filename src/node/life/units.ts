import { MERGE_SERVICE } from '../effects/merge.ts';
import { reloadManager } from '../effects/reload-manager.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { folderOf, NODE_PROGRAM } from '../model/paths.ts';
import type { LifeSettings } from './settings.ts';

const UNITS = '/run/systemd/system';
export const WATCH_UNIT = 'sextant-watch.service';
const WATCH_LINK = `${UNITS}/multi-user.target.wants/${WATCH_UNIT}`;
const LIMITS_FILE = `${UNITS}/${MERGE_SERVICE}.d/zz-sextant-node.conf`;
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
After=${MERGE_SERVICE}
RequiresMountsFor=/opt/sextant
StartLimitIntervalSec=0

[Service]
ExecStart=${NODE_PROGRAM} watch
# Does something only while the machine shuts down.
ExecStop=${NODE_PROGRAM} shutdown
RemainAfterExit=yes
Restart=on-failure
RestartSec=10
TimeoutStopSec=60
OOMScoreAdjust=-900
# The consoles get what it says through the kernel's log.
StandardOutput=journal
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
    { path: LIMITS_FILE, content: mergeLimits(settings.mergeSeconds) },
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
    makeFolders(host, folderOf(path));
    host.unlink(path);
    host.writeNew(path, content, 0o644);
  }
  makeFolders(host, folderOf(WATCH_LINK));
  host.unlink(WATCH_LINK);
  host.symlink(`../${WATCH_UNIT}`, WATCH_LINK);
}

/** Takes away what every boot gets; what is for a trial ends with its verdict, or with the boot. */
export function removeUnits(host: Host): void {
  for (const path of [`${UNITS}/${WATCH_UNIT}`, WATCH_LINK, LIMITS_FILE]) host.unlink(path);
  reloadManager(host);
}

/** The watchdog is for trials. The manager reads its settings again when it reloads. */
export function endTrialWatchdog(host: Host): void {
  if (host.unlink(WATCHDOG_FILE)) reloadManager(host);
}

/** Somebody else has set the watchdog, which is then theirs (systemd-system.conf(5)). */
function watchdogIsSet(host: Host): boolean {
  const folder = '/etc/systemd/system.conf.d';
  const files = ['/etc/systemd/system.conf', ...(host.list(folder) ?? []).map((name) => `${folder}/${name}`)];
  return files.some((file) => /^RuntimeWatchdogSec=/m.test(host.readText(file) ?? ''));
}
