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
  readonly sbom: string;
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
  /** PEM certificate that verifies the images' signatures. */
  readonly certificate?: string;
}
