// OCI image specification 1.1 (manifest, index, empty descriptor), and what Kairos reads: one layer whose media type is the artifact's.

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const TAR_LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const EMPTY = 'application/vnd.oci.empty.v1+json';
/** An artifact whose only layer is a system extension, as it is on the disk. */
export const RAW_SYSEXT = 'application/vnd.kairos.sysext.raw';
/** An artifact of everything in a release but its images. */
export const RELEASE_FILES = 'application/vnd.sextant.release.v1';
/** SHA256SUMS with what signs it. */
export const SIGNED_SUMS = 'application/vnd.sextant.signature.v1';

const BY_NAME: readonly (readonly [RegExp, string])[] = [
  [/\.spdx\.json$/, 'application/spdx+json'],
  [/\.cdx\.json$/, 'application/vnd.cyclonedx+json'],
  [/\.sigstore(?:\.json)?$/, 'application/vnd.dev.sigstore.bundle.v0.3+json'],
  [/\.intoto\.jsonl?$/, 'application/vnd.in-toto+json'],
  [/\.vex\.json$|openvex/, 'application/vnd.openvex+json'],
  [/\.json$/, 'application/json'],
  [/\.ya?ml$/, 'application/yaml'],
  [/\.(?:crt|pem)$/, 'application/x-pem-file'],
  [/\.p7[sb]$/, 'application/pkcs7-signature'],
  [/\.(?:roothash|txt)$|SHA256SUMS$/, 'text/plain'],
];

/** Media type of a release's file, by its name. */
export function mediaTypeOf(name: string): string {
  return BY_NAME.find(([pattern]) => pattern.test(name))?.[1] ?? 'application/octet-stream';
}

/** Whether a file says something of an image or release that readers look for by its type: a bill of materials, provenance, a bundle. */
export function isAttestation(name: string): boolean {
  return /^application\/(?:spdx\+json|vnd\.(?:cyclonedx|dev\.sigstore|in-toto|openvex).*)$/.test(
    mediaTypeOf(name),
  );
}
