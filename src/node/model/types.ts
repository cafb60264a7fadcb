/**
 * What sextant-node remembers: one file, replaced as a whole. Plain read-only data; every change is a pure function that returns new
 * records. docs/decisions/0004-record-format.md says why it looks like this.
 */

/** The slot of the operating system that is running. `none`: live, install, reset. */
export type Slot = 'active' | 'passive' | 'recovery' | 'none';
/** The slots in which extensions are used. */
export type UsualSlot = 'active' | 'passive';

/** File system UUID of the booted image and digest of its release file, `UUID-sha256`: two installs of one version differ. */
export type OsIdentity = string;

/** One file of an extension set. In the store it is `sextant/<sha256>/<name>.sysext.raw`. */
export interface ExtensionFile {
  readonly name: string;
  /** Of the whole file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** dm-verity root hash, 64 hexadecimal digits. */
  readonly rootHash: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * `new`: wanted, has not run. `trying`: has run, no verdict yet. `good`: Kubernetes was healthy on it for the set time. `bad`: it had its
 * tries or a verdict against it. `superseded`: was good until a newer pair with the same operating system became good.
 */
export type GenerationState = 'new' | 'trying' | 'good' | 'bad' | 'superseded';

export interface HealthEntry {
  /** Wall clock, ISO 8601, for display only. */
  readonly at: string;
  readonly result: 'good' | 'bad' | 'silent' | 'server-away' | 'foreign';
  readonly detail: string;
}

/** A pair (operating system, extension set) and what is known of it. There is one for each pair. */
export interface Generation {
  /** From the counter; a later one is greater. */
  readonly id: number;
  readonly os: OsIdentity;
  /** Name and version for people, from the release file. */
  readonly osName: string;
  readonly files: readonly ExtensionFile[];
  /** For example `v1.33.4+k3s1`. */
  readonly kubernetes: string;
  readonly state: GenerationState;
  /** Boots that were counted against it and not given back. */
  readonly tries: number;
  /** From the counter, when it became good or was chosen again; 0 before. The greatest is the newest good one. */
  readonly turn: number;
  /** Where its trial was asked for; it is tried there and nowhere else. */
  readonly slot: UsualSlot;
  /** Why it is in this state, a sentence for people. */
  readonly why: string;
  /** Digest of the configuration when it was last started, or null. Shown, never rolled back. */
  readonly configuration: string | null;
  /** Name of the datastore snapshot taken before its trial, or null. */
  readonly snapshot: string | null;
  /** Wall clock, for display only: first recorded, state last changed. */
  readonly created: string;
  readonly changed: string;
  /** Newest last, at most HEALTH_KEPT. */
  readonly health: readonly HealthEntry[];
}

/** How the boot named `id` stands. `open`: no outcome yet. `given-back`: its outcome said nothing about the pair. */
export type BootOutcome = 'open' | 'good' | 'bad' | 'given-back';

/** What a boot was decided to run. */
export interface Boot {
  /** The kernel's boot id. */
  readonly id: string;
  readonly slot: UsualSlot;
  readonly os: OsIdentity;
  /** Generation, or null when nothing runs. */
  readonly generation: number | null;
  /** A try of that generation was counted for this boot and has not been given back. */
  readonly counted: boolean;
  readonly outcome: BootOutcome;
}

/** `none`: no Kubernetes data on this node yet; `agent`: the data is on other nodes. */
export type DatastoreKind = 'single' | 'several' | 'external' | 'agent' | 'none';

export interface Datastore {
  readonly kind: DatastoreKind;
  /** Newest Kubernetes version that a good pair, or the first one, has run on it; empty before. */
  readonly version: string;
  /** A newer minor version on trial that may have changed it, with the way back. */
  readonly trial: {
    readonly generation: number;
    readonly version: string;
    readonly snapshot: string | null;
  } | null;
  /** Snapshot to be restored before Kubernetes starts again, or null. */
  readonly restore: string | null;
}

export interface Settings {
  /** Boots that a pair on trial gets, 1 or more. */
  readonly tries: number;
  /** Seconds that a pair on trial may take until Kubernetes is healthy. */
  readonly patienceSeconds: number;
  /** Seconds that Kubernetes has to be healthy without a break before a pair is good. */
  readonly settleSeconds: number;
}

export interface LogEntry {
  readonly at: string;
  readonly text: string;
}

export interface Records {
  readonly format: 1;
  /** Source of generation ids and turns; only grows. */
  readonly counter: number;
  /** Generation on trial that is to become the one that runs, or null. */
  readonly wanted: number | null;
  readonly generations: readonly Generation[];
  /** Generations whose files are kept and which no upgrade replaces. */
  readonly pins: readonly number[];
  readonly boot: Boot | null;
  readonly datastore: Datastore;
  readonly settings: Settings;
  /** True from `retire` on: nothing of ours runs any more. */
  readonly retired: boolean;
  /** What happened, for people; newest last, at most LOG_KEPT. */
  readonly log: readonly LogEntry[];
  /** Fields of a newer version of this format, kept as they were. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export const HEALTH_KEPT = 10;
export const LOG_KEPT = 50;
export const DEFAULT_SETTINGS: Settings = { tries: 3, patienceSeconds: 900, settleSeconds: 60 };
