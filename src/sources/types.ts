import type { LockedBlob, LockedComponent } from '../lock/types.ts';
import type { Component, SourceOf, SourceType } from '../recipe/schema.ts';
import type { Architecture } from '../support/architecture.ts';
import type { Context } from '../support/context.ts';
import type { Step } from '../support/progress.ts';
import type { Clock } from '../support/retry.ts';

/** Prefix rewrite for closed networks. */
export interface Mirror {
  readonly from: string;
  readonly to: string;
}

export interface FetchOptions {
  /** Sent with the request, Authorization to the first origin only. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The content-addressed store of fetched bytes: `<cache>/blobs/sha256/ab/<digest>`. */
export interface BlobStore {
  /** Path of a stored blob, or undefined. Marks it as used, so that the size limit removes others first. */
  find(sha256: string): Promise<string | undefined>;
  /**
   * Path of the blob, downloaded first when it is not stored (unless frozen: then an `input` error that says what is missing).
   * A digest or size that differs is a `verification` error that names both, and nothing is kept.
   */
  fetch(blob: LockedBlob, step?: Step, options?: FetchOptions): Promise<string>;
  /**
   * Downloads an address whose size, and mostly digest, is not known yet (when locking) and says what came; `finalUrl` is after
   * redirects. With `sha256` other bytes are a `verification` error that keeps nothing, and a blob that is stored is not asked for.
   */
  discover(
    url: string,
    step?: Step,
    options?: FetchOptions & { readonly sha256?: string },
  ): Promise<{ path: string; blob: LockedBlob; finalUrl: string }>;
  /** Takes a finished local file in (by rename or copy). */
  add(path: string): Promise<{ path: string; sha256: string; size: number }>;
}

export interface SourceContext extends Context {
  readonly store: BlobStore;
  /** No network at all: everything comes from the cache or the build fails naming what is missing. */
  readonly frozen: boolean;
  readonly mirrors: readonly Mirror[];
  /** Folder that relative paths of the recipe start from. */
  readonly recipeFolder: string;
  /** Exact Go toolchain ("go1.26.8") that go-module sources build with. */
  readonly go: string;
  /** Time for back-off between attempts; default the system's. */
  readonly clock?: Clock;
}

/** One kind of place that bytes come from. */
export interface SourceRoom<T extends SourceType> {
  /** Finds the exact version and pins every byte, held against upstream's own checksums. Uses the network. */
  resolve(
    component: Component,
    source: SourceOf<T>,
    architecture: Architecture,
    context: SourceContext,
  ): Promise<LockedComponent>;
  /**
   * The component's files as a read-only folder in the cache, made from the locked bytes: an archive or package unpacked, a module
   * built, a single file under its own name. The same lock gives the same bytes; a finished folder is reused.
   */
  materialize(
    component: Component,
    source: SourceOf<T>,
    locked: LockedComponent,
    architecture: Architecture,
    context: SourceContext,
  ): Promise<string>;
}
