import type { SourceType } from '../recipe/schema.ts';
import type { Architecture } from '../support/architecture.ts';

/** One fetched file. `url` is where it was found when locking; its bytes are known by digest wherever they come from later. */
export interface LockedBlob {
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hexadecimal SHA-256. */
  readonly sha256: string;
  /** What the digest was held against when locking: a checksum file's address, "Debian InRelease trixie", "Go checksum database". */
  readonly checkedAgainst?: string;
}

/** A component pinned for one architecture. `inputs` is every byte that enters, in a fixed order. */
export interface LockedComponent {
  readonly name: string;
  readonly type: SourceType;
  /** Resolved version, as the source's own world writes it. */
  readonly version: string;
  /** SHA-256 of the component's source in the recipe; the entry is kept as long as that stays the same. */
  readonly definition?: string;
  readonly inputs: readonly LockedBlob[];
  /** What a source needs to find its way in the inputs again; plain JSON, defined by the source. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Debian packages with everything they depend on: the root of the hook's sandbox, or a tool. */
export interface LockedPackages {
  readonly suite: string;
  /** The packages asked for, the rest follows from dependencies. */
  readonly packages: readonly string[];
  readonly inputs: readonly LockedBlob[];
  /** Moment of the archive, as snapshot.debian.org writes it: where dropped versions are looked for. */
  readonly snapshot?: string;
}

export interface LockedArchitecture {
  readonly components: readonly LockedComponent[];
  /** Every address the hook asked for, except those that the recipe answers from a component. */
  readonly hookDownloads: readonly LockedBlob[];
}

/** `sextant.lock.json`: docs/lock.md. */
export interface Lock {
  readonly lockVersion: 1;
  /** SHA-256 of the parts of the recipe that decide which bytes enter; a changed recipe makes the lock stale. */
  readonly recipe: string;
  readonly distribution: { readonly name: string; readonly version: string };
  /** Tools that shape the result. They run on the build host, so they are pinned by host architecture. */
  readonly tools: {
    readonly go?: { readonly version: string };
    /** Package that holds mkfs.erofs, by architecture of the build host. */
    readonly erofs: Readonly<Partial<Record<Architecture, LockedPackages>>>;
    /** User mode emulator for hooks of a foreign architecture. */
    readonly qemu: Readonly<Partial<Record<Architecture, LockedPackages>>>;
    /** Root file system of the hook's sandbox; it runs on the build host too. */
    readonly hookRoot: Readonly<Partial<Record<Architecture, LockedPackages>>>;
  };
  readonly architectures: Readonly<Partial<Record<Architecture, LockedArchitecture>>>;
}
