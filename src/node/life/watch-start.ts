import { replaceRuntimeFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { bootId } from '../observe/slot.ts';

const WATCH_FILE = `${RUN_FOLDER}/watch.json`;

/**
 * Uptime at which the watch of a generation began on this boot: kept, so that a watch that is started again does not begin its patience
 * anew. After a live switch it is another generation's.
 */
export function beginWatch(host: Host, generation: number): number {
  const id = bootId(host);
  try {
    const kept = JSON.parse(host.readText(WATCH_FILE) ?? 'null') as Record<string, unknown> | null;
    if (kept?.bootId === id && kept.generation === generation && typeof kept.since === 'number')
      return kept.since;
  } catch {
    // Cut short: it begins now.
  }
  return beginAnew(host, generation);
}

/** The same, from now on. */
export function beginAnew(host: Host, generation: number): number {
  const id = bootId(host);
  const since = host.uptime();
  host.mkdir(RUN_FOLDER, 0o755);
  replaceRuntimeFile(host, WATCH_FILE, `${JSON.stringify({ bootId: id, generation, since })}\n`);
  return since;
}
