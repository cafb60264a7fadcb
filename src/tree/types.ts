import type { Architecture } from '../support/architecture.ts';

/** What happened to a path on its way into the extension (design decision 2). */
export type Disposition =
  /** Where the hook or component put it. */
  | 'delivered'
  /** Moved to a place that an extension can deliver, `from` says from where. */
  | 'relocated'
  /** Becomes a factory copy under /usr/share/factory, laid down by tmpfiles.d when the node has no such file. */
  | 'factory'
  /** Written by sextant itself. */
  | 'added'
  /** Scratch of the hook that no node needs (/tmp, /run, caches), left out by a named rule. */
  | 'dropped';

export interface TreeEntry {
  /** Absolute path on the node ('dropped': where the hook wrote it). */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  /** Permission bits, e.g. 0o755. */
  readonly mode: number;
  /** Bytes; 0 for folders and links. */
  readonly size: number;
  /** SHA-256 of a file. */
  readonly sha256?: string;
  /** Target of a link. */
  readonly target?: string;
  readonly disposition: Disposition;
  /** Where the hook wrote it, when that is another path; or the rule that dropped it. */
  readonly from?: string;
  /** Component it came from; "hook" for what the provider's hook laid down, "sextant" for what we add. */
  readonly component: string;
}

/** A component's materialized folder with what the recipe takes from it. */
export interface ComponentFiles {
  readonly component: string;
  /** Resolved version, for the manifest. */
  readonly version?: string;
  /** True for test equipment; the manifest says so. */
  readonly standin?: boolean;
  readonly folder: string;
  /** `mode` is octal text, as in the recipe. */
  readonly files: readonly { readonly from: string; readonly to: string; readonly mode?: string }[];
}

export interface TreeRequest {
  /** Upper layer of the hook's overlay and the paths it removed. */
  readonly upper: string;
  readonly removed: readonly string[];
  readonly components: readonly ComponentFiles[];
  readonly extensionName: string;
  /** Folder of the node in which what lies below `containerImagesFolder` is linked; without it nothing is. */
  readonly imagesOnNode?: string;
  readonly architecture: Architecture;
  /** File name of the provider plug-in (agent-provider-kairos). */
  readonly plugin: string;
  /** Kubernetes version of the extension, for the manifest. */
  readonly version: string;
  /** Empty or absent folder to build the tree in. Files are hard-linked where possible: never write to them in place. */
  readonly output: string;
  /** sextant-node's executable for `architecture`, and the file of notices that goes with it. */
  readonly nodeProgram: { readonly file: string; readonly licenses: string };
  /** Command that runs getcap(8); empty where there is none. */
  readonly getcap: readonly string[];
  /** Aborts the work between two files. */
  readonly signal?: AbortSignal;
}

export interface Tree {
  /** Folder whose content becomes the root of the image (usr/...). */
  readonly root: string;
  /** Sorted by path. */
  readonly entries: readonly TreeEntry[];
  /** One line each; shown to the person, not fatal. */
  readonly warnings: readonly string[];
}
