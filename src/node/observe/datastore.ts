import type { Host } from '../host/host.ts';
import type { DatastoreKind } from '../model/types.ts';

/** Where k3s and k0s keep their data, and the folders in it that are the datastore. */
const DISTRIBUTIONS = [
  {
    server: '/var/lib/rancher/k3s/server',
    sqlite: '/var/lib/rancher/k3s/server/db/state.db',
    etcd: '/var/lib/rancher/k3s/server/db/etcd',
    agent: '/var/lib/rancher/k3s/agent',
  },
  {
    server: '/var/lib/k0s/pki/ca.key',
    sqlite: '/var/lib/k0s/db/state.db',
    etcd: '/var/lib/k0s/etcd',
    agent: '/var/lib/k0s/kubelet',
  },
] as const;

/**
 * What kind of datastore the node's data is. An etcd folder does not tell how many members there are, so it counts as `several`, which
 * never goes back by itself, unless `known` says that there is one: that was asked from the cluster.
 */
export function datastoreKind(host: Host, known: DatastoreKind | undefined): DatastoreKind {
  for (const { server, sqlite, etcd, agent } of DISTRIBUTIONS) {
    if (host.stat(server)) {
      if (host.stat(etcd)) return known === 'single' ? 'single' : 'several';
      return host.stat(sqlite) ? 'single' : 'external';
    }
    if (host.stat(agent)) return 'agent';
  }
  return 'none';
}

/** Folder of the embedded datastore, or undefined: what a snapshot is of. */
export function datastoreFolder(host: Host): string | undefined {
  for (const { sqlite, etcd } of DISTRIBUTIONS) {
    if (host.stat(etcd) || host.stat(sqlite)) return parentOf(host.stat(sqlite) ? sqlite : etcd, etcd);
  }
  return undefined;
}

/** k3s keeps both kinds in `db`, k0s each in a folder of its own. */
function parentOf(path: string, etcd: string): string {
  return path === etcd && etcd.startsWith('/var/lib/k0s/') ? etcd : path.slice(0, path.lastIndexOf('/'));
}
