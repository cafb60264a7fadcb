import type { Host } from '../host/host.ts';
import { askApi } from '../kubernetes/api.ts';
import { bootId } from '../observe/slot.ts';

/** Most seconds between two sightings of a new renewal; a kubelet renews its lease every 10 s. */
const RENEWAL_SECONDS = 90;

/** What is remembered from one look to the next. */
export interface LeaseMemory {
  /** Renewal time as last seen, never compared with a clock. */
  renewTime: string | undefined;
  /** Uptime at which it was last seen to change; undefined before. */
  changedAt: number | undefined;
}

/** Why the node is not Ready on this boot, or undefined. What the API shows of the boot before counts for nothing. */
export function nodeProblem(host: Host, name: string, memory: LeaseMemory): string | undefined {
  const node = parsed(askApi(host, `/api/v1/nodes/${name}`));
  if (node === undefined) return `the API server does not tell of a node ${name}`;
  const info = field(field(node, 'status'), 'nodeInfo');
  // The kubelet reports the kernel's boot id, so a status of an earlier boot is told without any clock.
  if (field(info, 'bootID') !== bootId(host))
    return `the kubelet of node ${name} has not reported on this boot`;
  const conditions = field(field(node, 'status'), 'conditions');
  const ready = (Array.isArray(conditions) ? conditions : []).find((one) => field(one, 'type') === 'Ready');
  if (field(ready, 'status') !== 'True') return `node ${name} is not Ready: ${reasonOf(ready)}`;
  return leaseProblem(host, name, memory);
}

function reasonOf(condition: unknown): string {
  const text = field(condition, 'message') ?? field(condition, 'reason');
  return typeof text === 'string' && text !== ''
    ? (text.split('\n')[0]?.slice(0, 200) ?? '')
    : 'no reason given';
}

/** A kubelet that is alive renews its lease; after a live switch the boot id does not tell the old one from the new. */
function leaseProblem(host: Host, name: string, memory: LeaseMemory): string | undefined {
  const lease = parsed(
    askApi(host, `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`),
  );
  const renewTime = field(field(lease, 'spec'), 'renewTime');
  const now = host.uptime();
  if (typeof renewTime === 'string' && renewTime !== memory.renewTime) {
    if (memory.renewTime !== undefined) memory.changedAt = now;
    memory.renewTime = renewTime;
  }
  const alive = memory.changedAt !== undefined && now - memory.changedAt <= RENEWAL_SECONDS;
  return alive ? undefined : `the kubelet of node ${name} does not renew its lease`;
}

/** JSON from the API server, or undefined. */
export function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A field of what may be an object. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
