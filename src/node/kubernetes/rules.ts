import { minor } from '../model/datastore.ts';
import { type Refusal, refusal } from '../model/effects.ts';

/** What the rules look at. Versions as the distributions write them, `v1.33.4+k3s1`. */
export interface VersionChange {
  /** Of the newest good or else the running pair; empty when nothing runs yet. */
  readonly from: string;
  readonly to: string;
  /** `server`: has an API server of its own, which is upgraded with the kubelet. */
  readonly role: 'server' | 'agent';
  /** What the cluster's API server said of itself; null where it could not be asked. Only an agent needs it. */
  readonly cluster: string | null;
  /** Newest version that a good pair has run on the datastore; empty when there is none. */
  readonly datastore: string;
}

/** A kubelet may be this many minor versions older than the API server. https://kubernetes.io/releases/version-skew-policy/#kubelet */
const KUBELET_BEHIND = 3;

/** Why a version must not follow another on this node, or undefined. */
export function versionProblem(change: VersionChange): Refusal | undefined {
  const { to, from } = change;
  if (minor(to) < 0)
    return refusal(`"${to}" is no Kubernetes version`, 'one looks like v1.33.4+k3s1; see the release');
  return (
    otherDistribution(change) ??
    (change.role === 'agent' ? besideTheCluster(change) : olderThanTheData(change)) ??
    (minor(from) >= 0 && minor(to) > minor(from) + 1 ? skipped(from, to) : undefined)
  );
}

/** `k3s` of `v1.33.4+k3s1`, `k0s` of `v1.33.4+k0s.0`; empty where the version does not say. */
export function distribution(version: string): string {
  return /\+([a-z]+\d+[a-z]+)/.exec(version)?.[1] ?? '';
}

/** `1.33` for people. */
export function minorText(version: string): string {
  return `${Math.floor(minor(version) / 1000)}.${minor(version) % 1000}`;
}

function otherDistribution({ from, to }: VersionChange): Refusal | undefined {
  const [old, now] = [distribution(from), distribution(to)];
  if (old === now || old === '' || now === '') return undefined;
  return refusal(
    `this node runs ${old} (${from}); ${to} is ${now}, which cannot use its data`,
    `install the node anew for ${now}, or name a release of ${old}`,
  );
}

function skipped(from: string, to: string): Refusal {
  const next = `${Math.floor(minor(from) / 1000)}.${(minor(from) % 1000) + 1}`;
  return refusal(
    `from Kubernetes ${from} to ${to} skips a minor version, which Kubernetes does not allow`,
    `first to a release of ${next}, and on from there when it is good`,
  );
}

function olderThanTheData({ to, datastore }: VersionChange): Refusal | undefined {
  if (datastore === '' || minor(to) >= minor(datastore)) return undefined;
  return refusal(
    `the datastore is of Kubernetes ${datastore}, and ${to} is a minor version older: it cannot read it`,
    'go back with the snapshot: sextant-node rollback --to GENERATION --restore-datastore',
  );
}

function besideTheCluster({ to, cluster }: VersionChange): Refusal | undefined {
  if (cluster === null)
    return refusal(
      "the cluster's API server does not say its version, and this kubelet must not become newer than it",
      'try again when it answers, or say what it runs: --cluster-version v1.33.4',
    );
  if (minor(to) > minor(cluster))
    return refusal(
      `Kubernetes ${to} is newer than the cluster's API server, ${cluster}`,
      `upgrade the servers to ${minorText(to)} first, or name a release of ${minorText(cluster)}`,
    );
  if (minor(cluster) - minor(to) > KUBELET_BEHIND)
    return refusal(
      `Kubernetes ${to} is more than ${KUBELET_BEHIND} minor versions older than the cluster's API server, ${cluster}`,
      `name a release nearer to ${minorText(cluster)}`,
    );
  return undefined;
}
