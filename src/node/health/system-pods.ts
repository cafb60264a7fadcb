import { makeFolders, replaceFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { askApi } from '../kubernetes/api.ts';
import { folderOf } from '../model/paths.ts';
import { nodeName } from './node-name.ts';
import { field, parsed } from './node-ready.ts';

/** Not among the records: those decide. */
const BASELINE_FILE = '/opt/sextant/health/baseline.json';

/** How the system pods of this node were when it was last known to be healthy. */
interface Baseline {
  readonly format: 1;
  /** Workloads that had a pod that was not ready. */
  readonly unready: readonly string[];
}

/**
 * Workloads in kube-system with a pod on this node that is not ready, by names that outlive the pods (`DaemonSet/kube-proxy`); finished pods
 * do not count. Undefined when the API server does not answer.
 */
function unreadyWorkloads(host: Host, node: string): readonly string[] | undefined {
  const answer = parsed(
    askApi(host, `/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName%3D${node}`),
  );
  const items = field(answer, 'items');
  if (!Array.isArray(items)) return undefined;
  return [...new Set(items.filter((pod) => !isReady(pod)).map(workload))].sort();
}

function isReady(pod: unknown): boolean {
  const status = field(pod, 'status');
  if (field(status, 'phase') === 'Succeeded') return true;
  const conditions = field(status, 'conditions');
  return (Array.isArray(conditions) ? conditions : []).some(
    (one) => field(one, 'type') === 'Ready' && field(one, 'status') === 'True',
  );
}

/** A pod of a Deployment belongs to a ReplicaSet whose name ends in the hash of its template. */
function workload(pod: unknown): string {
  const metadata = field(pod, 'metadata');
  const owners = field(metadata, 'ownerReferences');
  const owner = Array.isArray(owners) ? owners[0] : undefined;
  const hash = field(field(metadata, 'labels'), 'pod-template-hash');
  const name = String(field(owner ?? metadata, 'name'));
  const kind = owner === undefined ? 'Pod' : String(field(owner, 'kind'));
  return `${kind}/${typeof hash === 'string' ? name.replace(`-${hash}`, '') : name}`;
}

/** Which system pods are worse than before the trial, or undefined: none. Where nothing is known from before, nothing can be worse. */
export function podProblem(host: Host, node: string): string | undefined {
  const before = readBaseline(host);
  if (before === undefined) return undefined;
  const unready = unreadyWorkloads(host, node);
  if (unready === undefined) return 'the API server does not list the system pods';
  const worse = unready.filter((name) => !before.unready.includes(name));
  return worse.length === 0
    ? undefined
    : `not ready in kube-system, and they were before: ${worse.join(', ')}`;
}

/** Remembers how the system pods are now: after a verdict, and before a trial. False when the API server does not answer. */
export function recordBaseline(host: Host): boolean {
  const unready = unreadyWorkloads(host, nodeName(host));
  if (unready === undefined) return false;
  const baseline: Baseline = { format: 1, unready };
  makeFolders(host, folderOf(BASELINE_FILE));
  replaceFile(host, BASELINE_FILE, `${JSON.stringify(baseline)}\n`, 0o644);
  return true;
}

function readBaseline(host: Host): Baseline | undefined {
  const value = parsed(host.readText(BASELINE_FILE));
  const unready = field(value, 'unready');
  return field(value, 'format') === 1 && Array.isArray(unready) ? (value as Baseline) : undefined;
}
