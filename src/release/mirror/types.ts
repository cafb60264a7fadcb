import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';

/** What goes into a mirror. */
export interface MirrorRequest {
  readonly recipe: string;
  /** Build machines that the tools are for. */
  readonly hosts: readonly Architecture[];
  /** Releases to put in: folders or addresses. */
  readonly releases: readonly string[];
  /** Folder or address of a catalog to put in, as it is and with its signature. */
  readonly catalog?: string;
  readonly context: Context;
}

export interface MirroredRelease {
  readonly name: string;
  /** Relative to the mirror; undefined where nodes have no address to fetch it from. */
  readonly activation?: string;
}

export interface Mirrored {
  /** The recipe's copy in the mirror, relative to it. */
  readonly recipe: string;
  /** Where the recipe's copy has its files asked for. */
  readonly base: string;
  readonly files: number;
  readonly bytes: number;
  /** Files that were not there before. */
  readonly written: number;
  readonly releases: readonly MirroredRelease[];
  /** Serial of the catalog that was put in. */
  readonly catalog?: number;
}

/** A file of a mirror, as `mirror.json` lists it. */
export interface Listed {
  readonly path: string;
  readonly url?: string;
  readonly sha256: string;
  readonly size: number;
}

/** Name that a release has in a mirror. */
export function releaseName({
  distribution,
  version,
}: {
  readonly distribution: string;
  readonly version: string;
}): string {
  return `${distribution}-${version}`;
}
