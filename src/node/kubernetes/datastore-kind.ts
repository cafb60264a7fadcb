import type { Host } from '../host/host.ts';
import type { DatastoreKind } from '../model/types.ts';
import { askApi } from './api.ts';

const ETCD = '/var/lib/rancher/k3s/server/db/etcd';
const MEMBERS = '/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fetcd%3Dtrue';

/**
 * What kind of datastore this node's is now. The disk does not tell how many members an embedded etcd has, so the cluster is asked: one is
 * `single`; more, or no answer, is `several`, which never goes back by itself.
 */
export function datastoreKindNow(host: Host, seen: DatastoreKind): DatastoreKind {
  if ((seen !== 'single' && seen !== 'several') || host.stat(ETCD) === undefined) return seen;
  return etcdMembers(host) === 1 ? 'single' : 'several';
}

/** Members of the embedded etcd; undefined where there is none, or the cluster does not answer. */
export function etcdMembers(host: Host): number | undefined {
  if (host.stat(ETCD) === undefined) return undefined;
  try {
    const answer = JSON.parse(askApi(host, MEMBERS) ?? 'null') as { items?: unknown } | null;
    return Array.isArray(answer?.items) ? answer.items.length : undefined;
  } catch {
    return undefined;
  }
}
