import { createHash } from 'node:crypto';

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** A release description around an image of amd64, in the form that `sextant build` writes. */
export function releaseText(
  image: Uint8Array,
  {
    version = 'v1.33.5+k3s1',
    rootHash = 'c'.repeat(64),
    file = 'image.sysext.raw',
    name = 'provider-kairos',
  } = {},
): string {
  const distribution = version.includes('k0s') ? 'k0s' : 'k3s';
  const images = [{ architecture: 'amd64', file, size: image.length, sha256: sha256(image), rootHash }];
  return JSON.stringify({
    schemaVersion: 1,
    name,
    version,
    distribution,
    standin: true,
    url: 'http://x',
    images,
  });
}
