import { sha256OfText } from '../digest.ts';
import type { Host } from '../host/host.ts';

/** What an operator sets and what a provider writes from the cloud-config (k3s, k0s, provider-kairos). */
const FOLDERS = [
  '/etc/rancher',
  '/etc/k0s',
  ...['k3s', 'k3s-agent', 'k0scontroller', 'k0sworker'].map(
    (unit) => `/etc/systemd/system/${unit}.service.d`,
  ),
];
const FILES = ['/etc/sysconfig/k3s', '/etc/sysconfig/k3s-agent'];
/** Written by Kubernetes itself, anew with every certificate. */
const GENERATED = new Set(['/etc/rancher/k3s/k3s.yaml', '/etc/rancher/node/password']);

/** Digest of the node's Kubernetes configuration: it changes when a file, its name or its mode does. Null where there is none. */
export function configurationDigest(host: Host): string | null {
  const paths = [...FOLDERS.flatMap((folder) => filesBelow(host, folder, 4)), ...FILES];
  const entries = paths
    .filter((path) => !GENERATED.has(path))
    .flatMap((path) => {
      const facts = host.stat(path);
      if (facts?.kind !== 'file') return [];
      const content = facts.size > 256 * 1024 ? `${facts.size} bytes` : host.readText(path);
      return [JSON.stringify([path, facts.mode, content])];
    });
  return entries.length === 0 ? null : sha256OfText(host, entries.join('\n'));
}

function filesBelow(host: Host, folder: string, depth: number): string[] {
  return (host.list(folder) ?? []).flatMap((name) => {
    const path = `${folder}/${name}`;
    const isFolder = host.lstat(path)?.kind === 'folder';
    if (!isFolder) return [path];
    return depth === 0 ? [] : filesBelow(host, path, depth - 1);
  });
}
