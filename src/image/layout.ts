import type { Architecture } from '../support/architecture.ts';
import { type Designator, derivedUuid, READ_ONLY_FLAG, rootHashUuids, TYPE_UUIDS } from './dps.ts';
import { BACKUP_BYTES, type Gpt } from './gpt.ts';
import { SIGNATURE_BYTES } from './signature.ts';
import { BLOCK, treeLayout } from './verity.ts';

/** Partitions begin at multiples of 1 MiB, as partitioning tools expect. */
export const ALIGNMENT = 1024 * 1024;
/** Where the file system begins, bytes. */
export const ROOT_OFFSET = ALIGNMENT;

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** The one partition table that an image of these facts has: nothing in it is free, so any other bit is an error. */
export function imageLayout(facts: {
  readonly extensionName: string;
  readonly architecture: Architecture;
  /** Bytes of the file system, a multiple of 4096. */
  readonly dataSize: number;
  readonly rootHash: string;
  readonly signed: boolean;
}): Gpt {
  const { architecture, dataSize, rootHash } = facts;
  const uuids = rootHashUuids(rootHash);
  const partition = (designator: Designator, uuid: string, offset: number, size: number) => ({
    typeUuid: TYPE_UUIDS[architecture][designator],
    uuid,
    label: partitionLabel(facts.extensionName, designator),
    offset,
    size,
    flags: READ_ONLY_FLAG,
  });
  const hashOffset = aligned(ROOT_OFFSET + dataSize);
  const hashSize = treeLayout(dataSize / BLOCK).blocks * BLOCK;
  const partitions = [
    partition('root', uuids.root, ROOT_OFFSET, dataSize),
    partition('root-verity', uuids.verity, hashOffset, hashSize),
  ];
  let end = hashOffset + hashSize;
  if (facts.signed) {
    const offset = aligned(end);
    partitions.push(
      partition('root-verity-sig', derivedUuid(`sextant signature ${rootHash}`), offset, SIGNATURE_BYTES),
    );
    end = offset + SIGNATURE_BYTES;
  }
  // A whole number of 4096-byte blocks, for loop devices with large sectors.
  const diskSize = Math.ceil((end + BACKUP_BYTES) / BLOCK) * BLOCK;
  return { diskUuid: derivedUuid(`sextant disk ${rootHash}`), diskSize, partitions };
}

/** Partition labels: the extension's name, shortened to the 36 characters that fit. */
export function partitionLabel(extensionName: string, designator: Designator): string {
  const suffix = { root: '', 'root-verity': '-verity', 'root-verity-sig': '-verity-sig' }[designator];
  return `${extensionName.slice(0, 36 - suffix.length)}${suffix}`;
}
