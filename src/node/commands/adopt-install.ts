import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { makeFolders, replaceFile } from '../kubernetes/trees.ts';
import { readSettings } from '../life/settings.ts';
import { writeUnits } from '../life/units.ts';
import { findPrograms, runProgram } from '../programs.ts';
import { CARRIED_PROGRAM, CLOUD_CONFIG, CLOUD_CONFIG_FILE, NODE_PROGRAM } from './node-files.ts';

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

/** The program outside of the extension that it must be able to repair; from the extension, else this very one. */
export function installProgram(host: Host): void {
  const folder = NODE_PROGRAM.slice(0, NODE_PROGRAM.lastIndexOf('/'));
  const temporary = `${folder}/.sextant-node.new`;
  makeFolders(host, folder);
  host.unlink(temporary);
  host.copyNew(host.stat(CARRIED_PROGRAM) ? CARRIED_PROGRAM : '/proc/self/exe', temporary, 0o755);
  host.sync(temporary);
  host.rename(temporary, NODE_PROGRAM);
  host.sync(folder);
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
  runProgram(host, 'systemctl', ['daemon-reload'], { timeoutSeconds: 120 });
  runProgram(host, 'systemctl', ['start', '--no-block', 'sextant-watch.service']);
}
