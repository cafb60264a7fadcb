import type { Host } from '../host/host.ts';
import { base64Bytes } from '../kubernetes/kubeconfig.ts';

/** Certificates that a kubelet shows the API server: k3s' and k0s'. */
const CERTIFICATES = [
  '/var/lib/rancher/k3s/agent/client-kubelet.crt',
  '/var/lib/k0s/kubelet/pki/kubelet-client-current.pem',
];
/** Common name of a kubelet's certificate (https://kubernetes.io/docs/reference/access-authn-authz/node/). */
const COMMON_NAME = 'system:node:';

/** The name that this node has in the cluster: that of its kubelet's certificate, before there is one that of the machine. */
export function nodeName(host: Host): string {
  for (const path of CERTIFICATES) {
    const name = nameInCertificate(host, host.readText(path) ?? '');
    if (name !== undefined) return name;
  }
  return (host.readText('/proc/sys/kernel/hostname') ?? '').trim().toLowerCase();
}

/** In DER a text follows its length, one byte for less than 128 (X.690, 8.1.3). */
function nameInCertificate(host: Host, pem: string): string | undefined {
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem)?.[1] ?? '';
  const bytes = base64Bytes(body.replace(/\s/g, ''));
  if (!bytes) return undefined;
  const wanted = host.encode(COMMON_NAME);
  for (let at = 1; at + wanted.length < bytes.length; at++) {
    if (!wanted.every((byte, index) => bytes[at + index] === byte)) continue;
    const length = bytes[at - 1] ?? 0;
    const name = host.decode(bytes.subarray(at + wanted.length, at + length));
    if (length < 128 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) return name;
  }
  return undefined;
}
