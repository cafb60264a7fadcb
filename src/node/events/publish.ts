import { Failure } from '../failure.ts';
import { replaceFile } from '../files.ts';
import { type Host, HostError } from '../host/host.ts';
import { logEvent } from '../journal.ts';
import type { Records } from '../model/types.ts';
import { eventsBetween } from './changes.ts';
import { metricsText } from './metrics.ts';
import { tellNode } from './node-object.ts';
import { preferencesOrDefaults } from './preferences.ts';

/**
 * Tells the world what changed from `before` to `after`: entries in the journal, the textfile for Prometheus, and the node's object in the
 * cluster where `cluster` says that it may be asked (not before the merge, nor while Kubernetes stops). Called after the records are
 * durable; nothing that fails here matters to them, so nothing is thrown for it. `restored`: the datastore snapshot that was put back.
 */
export function publish(
  host: Host,
  before: Records | null,
  after: Records,
  cluster: boolean,
  restored?: string,
): void {
  const events = eventsBetween(before, after, restored);
  for (const event of events) logEvent(host, event);
  writeMetrics(host, preferencesOrDefaults(host).preferences.textfileFolder, after);
  if (cluster && (events.length > 0 || healthChanged(before, after))) tellCluster(host, after);
}

/** The node's object in the cluster, where the settings allow it. False when it could not be told, for whatever reason. */
export function tellCluster(host: Host, records: Records): boolean {
  if (!preferencesOrDefaults(host).preferences.nodeLabels) return true;
  return attempt(() => tellNode(host, records)) ?? false;
}

function writeMetrics(host: Host, folder: string, records: Records): void {
  attempt(() => {
    if (host.stat(folder)?.kind !== 'folder') return;
    const path = `${folder}/sextant.prom`;
    const text = metricsText(records);
    if (host.readText(path) !== text) replaceFile(host, path, text, 0o644);
  });
}

function healthChanged(before: Records | null, after: Records): boolean {
  const last = (records: Records | null) =>
    records?.generations.find(({ id }) => id === records.boot?.generation)?.health.at(-1)?.at;
  return last(before) !== last(after);
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof HostError || error instanceof Failure) return undefined;
    throw error;
  }
}
