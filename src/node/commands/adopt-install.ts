import { reloadManager } from '../effects/reload-manager.ts';
import { Failure } from '../failure.ts';
import { replaceFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { readSettings } from '../life/settings.ts';
import { WATCH_UNIT, writeUnits } from '../life/units.ts';
import { findPrograms, runProgram } from '../programs.ts';
import { CLOUD_CONFIG, CLOUD_CONFIG_FILE } from './cloud-config.ts';

/** Throws `tool` naming every required program that this node lacks. */
export function requirePrograms(host: Host): void {
  const missing = findPrograms(host).filter(({ required, path }) => required && path === undefined);
  if (missing.length === 0) return;
  throw new Failure(
    'tool',
    `this node lacks ${missing.map(({ name }) => name).join(', ')}`,
    'see what each is for: sextant-node doctor',
  );
}

/** The node's own cloud-config. Without a record the program does nothing at a boot, so this may come before it. */
export function installCloudConfig(host: Host): void {
  if (host.stat('/oem')?.kind !== 'folder')
    throw new Failure(
      'refused',
      '/oem: there is no such folder',
      'only an installed Kairos can be taken over',
    );
  if (host.readText(CLOUD_CONFIG_FILE) !== CLOUD_CONFIG)
    replaceFile(host, CLOUD_CONFIG_FILE, CLOUD_CONFIG, 0o644);
}

/** The units that later boots get before the merge, for this one, and the watch begun. */
export function startWatch(host: Host): void {
  writeUnits(host, readSettings(host).settings, false);
  reloadManager(host);
  runProgram(host, 'systemctl', ['start', '--no-block', WATCH_UNIT]);
}
