import type { Architecture } from '../support/architecture.ts';
import type { Context } from '../support/context.ts';

/** Payload of the provider's build events, as kairos-init sends it. */
export interface HookPayload {
  readonly provider: string;
  readonly version: string;
  readonly logLevel: string;
  readonly config: string;
  readonly family: string;
}

/** What the recording proxy gives for an address: a file to serve, or a refusal that the build then fails with. */
export type Answer =
  | { readonly kind: 'file'; readonly path: string; readonly finalUrl?: string }
  | { readonly kind: 'refuse'; readonly reason: string };

export interface HookRequest {
  /** The provider plug-in, built for `architecture`. */
  readonly plugin: string;
  readonly architecture: Architecture;
  /** Unpacked root file system of the build host's architecture; never written to. */
  readonly root: string;
  /** User mode emulator for `architecture`, where it is not the host's. */
  readonly emulator?: string;
  /** Files put into the root before the hook runs (absolute path in the sandbox -> file on the host). */
  readonly extraFiles?: Readonly<Record<string, string>>;
  readonly payload: HookPayload;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  /** Asked once for each address, before any byte is served. */
  readonly answer: (url: string) => Promise<Answer>;
  /** An empty folder; the overlay's upper layer is `<workFolder>/upper` afterwards. */
  readonly workFolder: string;
  /** Everything the hook and the proxy said ends up here. */
  readonly logFile: string;
  readonly context: Context;
}

export interface HookResult {
  /** The overlay's upper layer: what the hook wrote. Owners are meaningless, modes are the hook's. */
  readonly upper: string;
  /** Paths of the root that the hook removed (whiteouts), absolute in the sandbox. */
  readonly removed: readonly string[];
  /** The version that the `info` event reported, as the provider said it. */
  readonly version: string;
  /** Addresses asked for, in order, without repeats. */
  readonly urls: readonly string[];
}
