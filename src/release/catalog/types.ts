import type { SourceType } from '../../recipe/schema.ts';
import type { Architecture } from '../../support/architecture.ts';

/** Name of the catalog's own file, of its detached signature, and of what Kairos reads. */
export const CATALOG_FILE = 'sextant-catalog.json';
export const SIGNATURE_FILE = `${CATALOG_FILE}.sig`;
export const KAIROS_FILE = 'releases.json';
/** Folder with what each image holds, a file for each, named by its SHA-256. */
export const CONTENTS_FOLDER = 'contents';

export interface CatalogImage {
  readonly architecture: Architecture;
  /** File name in the release. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** Of the file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** dm-verity root hash, 64 hexadecimal digits. */
  readonly rootHash: string;
  /** `REGISTRY/NAME@sha256:...` of the artifact that Kairos installs; absent where it was not pushed to a registry. */
  readonly oci?: string;
  readonly signature?: {
    /** SHA-256 of the signing certificate (DER), hexadecimal; the certificate itself is in `certificates`. */
    readonly certificate: string;
    readonly subject?: string;
  };
  /** SHA-256 of its file in `contents/`. */
  readonly contents: string;
}

/** Formats of what is said of a release beside its images. */
export const DOCUMENT_FORMATS = ['spdx', 'cyclonedx', 'slsa'] as const;

/** A bill of materials of an image (SPDX, CycloneDX), or the provenance of the whole release (SLSA, in-toto). */
export interface CatalogDocument {
  readonly format: (typeof DOCUMENT_FORMATS)[number];
  /** Of a bill of materials. */
  readonly architecture?: Architecture;
  /** File name in the release. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
}

export interface CatalogComponent {
  readonly name: string;
  readonly version: string;
  readonly type: SourceType;
  readonly standin: boolean;
  readonly license?: string;
}

export interface CatalogRelease {
  /** Extension name: NAME.sysext.raw on the node. */
  readonly name: string;
  /** As the distribution writes it: `v1.36.3+k3s1`. */
  readonly version: string;
  readonly distribution: string;
  /** True when any part is test equipment. */
  readonly standin: boolean;
  /** Folder that the files are served from: an http(s) address, or relative to the catalog's own; or oci://HOST/REPOSITORY:TAG. */
  readonly address: string;
  /** SHA-256 of the release.json there. */
  readonly description: string;
  /** Day it was added, `2026-11-27`: for people only. */
  readonly date: string;
  /** Serial of the catalog that had it first. */
  readonly since: number;
  readonly kubernetes: {
    readonly version: string;
    /** Minor versions of a server that it may follow. */
    readonly follows: readonly string[];
    /** Minor versions of an API server that an agent of it may join. */
    readonly apiServers: readonly string[];
  };
  readonly requires: {
    readonly systemd: number;
    /** Oldest version of Kairos. */
    readonly kairos: string;
  };
  readonly images: readonly CatalogImage[];
  /** Bills of materials and provenance; absent where an earlier version added the release. */
  readonly documents?: readonly CatalogDocument[];
  /** Certificates that a strict node is to trust, by their SHA-256 in `certificates`, the signer's first; empty where nothing is signed. */
  readonly trust: readonly string[];
  readonly components: readonly CatalogComponent[];
  /** File name of the cloud-config in the release. */
  readonly activation: string;
  readonly yanked?: { readonly why: string; readonly date: string; readonly since: number };
}

/** `sextant-catalog.json`, format version 1; docs/catalog.md. */
export interface Catalog {
  readonly schemaVersion: 1;
  /** For people. */
  readonly title: string;
  /** Grows by one with every change: a catalog with a smaller one than was seen is an old one. */
  readonly serial: number;
  /** PEM certificates that signed images or are to be trusted beside those, by their SHA-256 (DER). */
  readonly certificates: Readonly<Record<string, string>>;
  /** Newest first; of one version, by extension name. */
  readonly releases: readonly CatalogRelease[];
}
