import { ARCHITECTURES, type Architecture } from '../support/architecture.ts';
import { uuidBytes, uuidText } from './uuid.ts';

/**
 * Discoverable Partitions Specification (https://uapi-group.org/specifications/specs/discoverable_partitions_specification/): partition
 * types that an extension is made of, and how their UUIDs follow from the root hash.
 */
export type Designator = 'root' | 'root-verity' | 'root-verity-sig';

export const DESIGNATORS = ['root', 'root-verity', 'root-verity-sig'] as const satisfies readonly Designator[];

const TYPES: Readonly<Record<Architecture, Readonly<Record<Designator, string>>>> = {
  amd64: {
    root: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
    'root-verity': '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5',
    'root-verity-sig': '41092b05-9fc8-4523-994f-2def0408b176',
  },
  arm64: {
    root: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
    'root-verity': 'df3300ce-d69f-4c92-978c-9bfb0f38d820',
    'root-verity-sig': '6db69de6-29f4-4758-a7a5-962190f00ce3',
  },
};

/** The specification's name of an architecture, as in the partition labels that systemd-repart writes. */
const NAMES: Readonly<Record<Architecture, string>> = { amd64: 'x86-64', arm64: 'arm64' };

/** "Read-only" attribute of root and verity partitions (bit 60 of the GPT attributes). */
export const READ_ONLY = 1n << 60n;

export function partitionType(architecture: Architecture, designator: Designator): string {
  return TYPES[architecture][designator];
}

/** "root-x86-64-verity": the label systemd-repart gives such a partition. */
export function partitionLabel(architecture: Architecture, designator: Designator): string {
  return designator.replace('root', `root-${NAMES[architecture]}`);
}

/** What a partition type stands for; undefined for a type that no extension has. */
export function partitionRole(
  typeUuid: string,
): { readonly architecture: Architecture; readonly designator: Designator } | undefined {
  for (const architecture of ARCHITECTURES) {
    for (const designator of DESIGNATORS) {
      if (TYPES[architecture][designator] === typeUuid) return { architecture, designator };
    }
  }
  return undefined;
}

/** The data partition's UUID is the first 128 bits of the root hash, the verity partition's the last 128 bits. */
export function verityUuids(rootHash: string): { readonly root: string; readonly verity: string } {
  const bytes = Buffer.from(rootHash, 'hex');
  return { root: uuidText(bytes.subarray(0, 16)), verity: uuidText(bytes.subarray(bytes.length - 16)) };
}

/** The SHA-256 root hash (hexadecimal) that two partition UUIDs spell. */
export function rootHashOf(rootUuid: string, verityUuid: string): string {
  return Buffer.concat([uuidBytes(rootUuid), uuidBytes(verityUuid)]).toString('hex');
}
