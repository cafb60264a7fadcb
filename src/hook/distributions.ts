/** Where a distribution publishes SHA-256 sums for what its installer downloads. Placeholders as in hook.checksums of a recipe. */
const CHECKSUMS: Readonly<Record<string, readonly { readonly url: string; readonly checksums: string }[]>> = {
  // https://docs.k3s.io/installation/airgap: assets of a release.
  k3s: [
    {
      url: 'https://github.com/k3s-io/k3s/releases/download/{tag}/k3s{suffix}',
      checksums: 'https://github.com/k3s-io/k3s/releases/download/{tag}/sha256sum-{arch}.txt',
    },
  ],
  // https://docs.k0sproject.io/stable/verifying-signs/: assets of a release.
  k0s: [
    {
      url: 'https://github.com/k0sproject/k0s/releases/download/{tag}/k0s-{tag}-{arch}',
      checksums: 'https://github.com/k0sproject/k0s/releases/download/{tag}/sha256sums.txt',
    },
  ],
};

/** Known checksum files for a distribution's downloads; none for a distribution that is not known here. */
export function checksumDefaults(
  distribution: string,
): readonly { readonly url: string; readonly checksums: string }[] {
  return CHECKSUMS[distribution] ?? [];
}
