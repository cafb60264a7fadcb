import type { Compression, PartitionInfo, SignatureInfo } from '../image/types.ts';
import type { SourceType } from '../recipe/schema.ts';
import type { Architecture } from '../support/architecture.ts';

export interface ReleasedComponent {
  readonly name: string;
  readonly type: SourceType;
  /** Version by architecture is the same in practice; Debian's may differ for a time. */
  readonly version: string;
  readonly standin: boolean;
  readonly license?: string;
}

export interface ReleasedImage {
  readonly architecture: Architecture;
  /** File name of the extension in the release. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** dm-verity root hash, hexadecimal; the same text is in `rootHashFile`. */
  readonly rootHash: string;
  readonly rootHashFile: string;
  /** Bill of materials, SPDX 2.3 JSON. */
  readonly sbom: string;
  /** The same as CycloneDX 1.6 JSON; absent in releases of earlier versions. */
  readonly cyclonedx?: string;
  readonly compression: Compression;
  readonly partitions: readonly PartitionInfo[];
  readonly signature?: SignatureInfo;
  readonly components: readonly ReleasedComponent[];
  readonly warnings: readonly string[];
}

/** `release.json`: everything a machine needs to know of a release. Format version 1; docs/release.md. */
export interface Release {
  readonly schemaVersion: 1;
  /** Extension name: NAME.sysext.raw on the node. */
  readonly name: string;
  /** Kubernetes version, as the distribution writes it. */
  readonly version: string;
  readonly distribution: string;
  /** True when any part is test equipment. */
  readonly standin: boolean;
  /** Folder address that the files are served from. */
  readonly url: string;
  /** What the release was made from and with; equal inputs give equal bytes. */
  readonly inputs: {
    readonly sextant: string;
    /** SHA-256 of the recipe's value, of the lock's text, and of both with the program's version. */
    readonly recipe: string;
    readonly lock: string;
    readonly build: string;
    readonly go?: string;
    readonly erofs: string;
    /** The engine of the sextant-node in it; absent in releases that carry none. */
    readonly quickjs?: string;
  };
  readonly images: readonly ReleasedImage[];
  readonly activation: string;
  /** in-toto statement with SLSA v1 provenance, or the signed envelope of it (DSSE); absent in releases of earlier versions. */
  readonly provenance?: string;
  /** PEM certificate that verifies the images' signatures and those below. */
  readonly certificate?: string;
  /** The public key in it, PEM. */
  readonly publicKey?: string;
  /** Signature of SHA256SUMS. */
  readonly checksumsSignature?: string;
  /** Further certificates that strict nodes are to trust: the earlier key's, or the next one's, during a rotation. */
  readonly alsoTrust?: readonly string[];
}
