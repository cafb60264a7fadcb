/**
 * Folder in which a distribution's agent looks for archives of container images at its start, and imports them into its containerd: k3s
 * (docs.k3s.io, "Air-Gap Install"; pkg/agent/containerd) and k0s (docs.k0sproject.io, "Airgap install"; OCIBundleReconciler). Both read the
 * folder itself, not below it, and follow links.
 */
const FOLDERS: Readonly<Record<string, string>> = {
  k3s: '/var/lib/rancher/k3s/agent/images',
  k0s: '/var/lib/k0s/images',
};

/** Where a distribution reads archives of container images, or undefined for one that is not known here. */
export function imagesFolder(distribution: string): string | undefined {
  return FOLDERS[distribution];
}
