import { nodeName } from '../health/node-name.ts';
import type { Host } from '../host/host.ts';
import { askApi } from '../kubernetes/api.ts';
import { generation } from '../model/change.ts';
import type { Records } from '../model/types.ts';

/**
 * The change to this node's object that shows a fleet what runs: labels to select by, annotations to read. A kubelet may make it for its own
 * node (NodeRestriction leaves this prefix alone). https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
 */
export function nodePatch(records: Records): string {
  const running = records.retired ? undefined : generation(records, records.boot?.generation ?? null);
  const trial = records.retired ? undefined : generation(records, records.wanted);
  const labels = {
    'sextant/generation': running ? String(running.id) : null,
    'sextant/state': running?.state ?? null,
  };
  const annotations = {
    'sextant/kubernetes': running?.kubernetes ?? null,
    'sextant/operating-system': running?.osName ?? null,
    'sextant/tries': running ? `${running.tries} of ${records.settings.tries}` : null,
    'sextant/last-result': running?.health.at(-1)?.result ?? null,
    'sextant/why': running?.why ?? null,
    'sextant/on-trial': trial ? `${trial.id} (${trial.kubernetes})` : null,
  };
  return JSON.stringify({ metadata: { labels, annotations } });
}

/** Best effort: false where there is no API server to ask, or it knows no such node. */
export function tellNode(host: Host, records: Records): boolean {
  const name = nodeName(host);
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) return false;
  const patch = { type: 'application/merge-patch+json', body: nodePatch(records) };
  return askApi(host, `/api/v1/nodes/${name}`, patch) !== undefined;
}
