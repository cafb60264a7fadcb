import type { DatastoreKind, OsIdentity, Slot, UsualSlot } from './types.ts';

/** What a slot's folder holds now: link name (`provider-kairos.sysext.raw`) to target, as readlink gives it. */
export type Links = Readonly<Record<string, string>>;

/** What GRUB's environment on COS_STATE and the kernel command line say. */
export interface GrubFacts {
  /** `upgrade_failure` is on the command line: GRUB's boot assessment chose this slot. */
  readonly upgradeFailure: boolean;
  /** enable_boot_assessment or boot_assessment_tentative is set. */
  readonly assessing: boolean;
}

/** The other slot. `os` is null when its image could not be read. */
export interface OtherSlot {
  readonly slot: UsualSlot;
  readonly os: OsIdentity | null;
}

/** Everything that a decision looks at besides the records. Gathered by the hands; nothing in it is a clock except `now`. */
export interface Observation {
  readonly slot: Slot;
  readonly os: OsIdentity;
  /** Name and version for people. */
  readonly osName: string;
  readonly bootId: string;
  /** Wall clock, ISO 8601: for what people read, never compared. */
  readonly now: string;
  /** SHA-256 of the files in the store that are there in full size (before a trial: with the right digest). */
  readonly whole: readonly string[];
  /** Null when there is no other slot with an image. */
  readonly other: OtherSlot | null;
  /** Operating systems that either slot's image is of now; after an upgrade not yet booted that of the booted slot is a new one. Null: not known. */
  readonly installed: readonly OsIdentity[] | null;
  readonly grub: GrubFacts;
  /** Links in the slots' folders of the store. */
  readonly links: Readonly<Record<UsualSlot, Links>>;
  /** Links in /run/extensions. */
  readonly enabled: Links;
  /** Names of enabled extensions that are not ours. */
  readonly foreign: readonly string[];
  /** `whole`: the records come from RECORD_FILE itself; `other`: it is missing or damaged, so it must not replace the previous copy. */
  readonly recordFile: 'whole' | 'other';
  /** False once a write of the records has failed on this boot: then nothing may be tried that would have to be counted. */
  readonly writable: boolean;
  /** False where the activation's strict policy does without root hash sidecars. */
  readonly rootHashSidecar: boolean;
  /** Of the configuration (/etc/rancher, overrides), or null. */
  readonly configuration: string | null;
  readonly datastore: DatastoreKind;
}
