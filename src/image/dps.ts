import { createHash } from 'node:crypto';
import type { Architecture } from '../support/architecture.ts';

/** What a partition of an extension is for, by the name systemd's image policies use. */
export type Designator = 'root' | 'root-verity' | 'root-verity-sig';

/** Partition type UUIDs of the Discoverable Partitions Specification (uapi-group.org, "Discoverable Partitions Specification"). */
export const TYPE_UUIDS: Readonly<Record<Architecture, Readonly<Record<Designator, string>>>> = {
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

/** Bit 60: read-only (the specification's "Partition Flags"). */
export const READ_ONLY_FLAG = 1n << 60n;

/** The designator and architecture a type UUID stands for, or undefined. */
export function partitionKind(
  typeUuid: string,
): { readonly designator: Designator; readonly architecture: Architecture } | undefined {
  for (const architecture of ['amd64', 'arm64'] as const) {
    for (const designator of ['root', 'root-verity', 'root-verity-sig'] as const) {
      if (TYPE_UUIDS[architecture][designator] === typeUuid) return { designator, architecture };
    }
  }
  return undefined;
}

/** 16 bytes as a UUID text. */
export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A UUID that follows from a text: SHA-256, shaped as version 8 (RFC 9562, 5.8). The same text always gives the same UUID. */
export function derivedUuid(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return uuidText(bytes);
}

/** The UUIDs that the specification asks for: the root hash's first 128 bits for the data, its last for the hash tree. */
export function rootHashUuids(rootHash: string): { readonly root: string; readonly verity: string } {
  const bytes = Buffer.from(rootHash, 'hex');
  return { root: uuidText(bytes.subarray(0, 16)), verity: uuidText(bytes.subarray(bytes.length - 16)) };
}
