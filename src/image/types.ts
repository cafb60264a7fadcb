import type { X509Certificate } from 'node:crypto';
import type { Architecture } from '../support/architecture.ts';
import type { Context } from '../support/context.ts';

/** What signs: an RSA key, wherever it lives, and its certificate. */
export interface Signer {
  readonly certificate: X509Certificate;
  /** RSASSA-PKCS1-v1_5 with SHA-256 over the bytes (RFC 8017, section 8.2): the same bytes always give the same signature. */
  sign(bytes: Buffer): Promise<Buffer>;
}

export type Compression = 'lz4hc' | 'lz4' | 'zstd' | 'none';

export interface ImageRequest {
  /** Folder whose content becomes the file system's root. */
  readonly tree: string;
  /** The .raw file to write; appears whole or not at all. */
  readonly output: string;
  readonly extensionName: string;
  readonly architecture: Architecture;
  readonly compression: Compression;
  readonly level?: number;
  /** Largest physical cluster in bytes (mkfs.erofs -C). */
  readonly clusterSize: number;
  /** Any text that identifies the content's origin (the lock's digest): salt and file system UUID derive from it. */
  readonly seed: string;
  /** Seconds since 1970 given to every inode (SOURCE_DATE_EPOCH's meaning). */
  readonly timestamp: number;
  /** Command that runs mkfs.erofs: program and leading arguments. */
  readonly mkfs: readonly string[];
  /** Adds the root-verity-sig partition. */
  readonly signer?: Signer | undefined;
  readonly context: Context;
}

export interface PartitionInfo {
  /** "root", "root-verity" or "root-verity-sig". */
  readonly designator: string;
  readonly label: string;
  readonly typeUuid: string;
  readonly uuid: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

export interface SignatureInfo {
  /** SHA-256 fingerprint of the signing certificate (DER), hexadecimal. */
  readonly certificateFingerprint: string;
  /** Subject of the signer, when the certificate is at hand. */
  readonly subject?: string;
  readonly notAfter?: string;
}

export interface ImageInfo {
  /** Hexadecimal dm-verity root hash. */
  readonly rootHash: string;
  readonly partitions: readonly PartitionInfo[];
  /** Whole file, bytes. */
  readonly size: number;
  readonly diskUuid: string;
  readonly salt: string;
  readonly signature?: SignatureInfo;
}

/** What `writeImage` resolves to. */
export interface WrittenImage extends ImageInfo {
  readonly path: string;
}
