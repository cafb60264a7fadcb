import { crc32 } from 'node:zlib';
import { SextantError } from '../support/errors.ts';

// UEFI Specification 2.10, chapter 5: GUID Partition Table. Offsets in bytes, little endian.
export const SECTOR = 512;
const ENTRIES = 128;
const ENTRY_SIZE = 128;
const TABLE_SECTORS = (ENTRIES * ENTRY_SIZE) / SECTOR;
const HEADER_SIZE = 92;
const FIRST_USABLE = 2 + TABLE_SECTORS;
const SIGNATURE = Buffer.from('EFI PART', 'latin1');

/** Bytes before the first partition: protective MBR, header, table. */
export const PRIMARY_BYTES = FIRST_USABLE * SECTOR;
/** Bytes after the last partition: table and header. */
export const BACKUP_BYTES = (TABLE_SECTORS + 1) * SECTOR;

export interface GptPartition {
  readonly typeUuid: string;
  readonly uuid: string;
  /** At most 36 UTF-16 units. */
  readonly label: string;
  /** Bytes; multiples of 512. */
  readonly offset: number;
  readonly size: number;
  readonly flags: bigint;
}

export interface Gpt {
  readonly diskUuid: string;
  /** Size of the whole disk in bytes; a multiple of 512. */
  readonly diskSize: number;
  readonly partitions: readonly GptPartition[];
}

/** The first PRIMARY_BYTES and the last BACKUP_BYTES of a disk with this table. */
export function encodeGpt(gpt: Gpt): { readonly primary: Buffer; readonly backup: Buffer } {
  const sectors = gpt.diskSize / SECTOR;
  const table = Buffer.alloc(ENTRIES * ENTRY_SIZE);
  gpt.partitions.forEach((partition, index) => {
    const entry = table.subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
    guidBytes(partition.typeUuid).copy(entry, 0);
    guidBytes(partition.uuid).copy(entry, 16);
    entry.writeBigUInt64LE(BigInt(partition.offset / SECTOR), 32);
    entry.writeBigUInt64LE(BigInt((partition.offset + partition.size) / SECTOR - 1), 40);
    entry.writeBigUInt64LE(partition.flags, 48);
    entry.write(partition.label, 56, 72, 'utf16le');
  });
  const header = (own: number, other: number, tableAt: number): Buffer => {
    const sector = Buffer.alloc(SECTOR);
    SIGNATURE.copy(sector, 0);
    sector.writeUInt32LE(0x00010000, 8);
    sector.writeUInt32LE(HEADER_SIZE, 12);
    sector.writeBigUInt64LE(BigInt(own), 24);
    sector.writeBigUInt64LE(BigInt(other), 32);
    sector.writeBigUInt64LE(BigInt(FIRST_USABLE), 40);
    sector.writeBigUInt64LE(BigInt(sectors - TABLE_SECTORS - 2), 48);
    guidBytes(gpt.diskUuid).copy(sector, 56);
    sector.writeBigUInt64LE(BigInt(tableAt), 72);
    sector.writeUInt32LE(ENTRIES, 80);
    sector.writeUInt32LE(ENTRY_SIZE, 84);
    sector.writeUInt32LE(crc32(table), 88);
    sector.writeUInt32LE(crc32(sector.subarray(0, HEADER_SIZE)), 16);
    return sector;
  };
  return {
    primary: Buffer.concat([protectiveMbr(sectors), header(1, sectors - 1, 2), table]),
    backup: Buffer.concat([table, header(sectors - 1, 1, sectors - 1 - TABLE_SECTORS)]),
  };
}

/** One partition of type 0xEE over the whole disk (5.2.3). */
function protectiveMbr(sectors: number): Buffer {
  const mbr = Buffer.alloc(SECTOR);
  mbr.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  mbr.writeUInt32LE(1, 454);
  mbr.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  mbr.set([0x55, 0xaa], 510);
  return mbr;
}

/**
 * Reads the primary table from a disk's first PRIMARY_BYTES. Everything in it is checked before it is used: checksums, sizes, partitions
 * inside the disk and apart from each other. Throws `input`.
 */
export function parseGpt(primary: Buffer, diskSize: number, name: string): Gpt {
  const wrong = (why: string) =>
    new SextantError('input', `${name}: not an extension image: ${why}`, {
      hint: 'an extension is a disk image with a GUID partition table; is this the right file, and whole?',
    });
  if (diskSize % SECTOR !== 0) throw wrong(`its size ${diskSize} is no multiple of ${SECTOR} bytes`);
  if (primary.length < PRIMARY_BYTES || diskSize < PRIMARY_BYTES + BACKUP_BYTES)
    throw wrong('it is too short');
  const sectors = diskSize / SECTOR;
  const header = Buffer.from(primary.subarray(SECTOR, 2 * SECTOR));
  if (!header.subarray(0, 8).equals(SIGNATURE)) throw wrong('no GUID partition table');
  if (header.readUInt32LE(12) !== HEADER_SIZE)
    throw wrong(`a partition table header of ${header.readUInt32LE(12)} bytes`);
  const said = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header.subarray(0, HEADER_SIZE)) !== said)
    throw wrong("the partition table header's checksum is wrong");
  if (
    header.readUInt32LE(80) !== ENTRIES ||
    header.readUInt32LE(84) !== ENTRY_SIZE ||
    header.readBigUInt64LE(72) !== 2n
  ) {
    throw wrong('a partition table of an unusual shape');
  }
  if (header.readBigUInt64LE(32) !== BigInt(sectors - 1)) {
    throw wrong(`the partition table is for a file of another size, this one has ${diskSize} bytes`);
  }
  const table = primary.subarray(2 * SECTOR, PRIMARY_BYTES);
  if (crc32(table) !== header.readUInt32LE(88)) throw wrong("the partition table's checksum is wrong");
  const partitions: GptPartition[] = [];
  for (let index = 0; index < ENTRIES; index += 1) {
    const entry = table.subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const first = entry.readBigUInt64LE(32);
    const last = entry.readBigUInt64LE(40);
    if (first < BigInt(FIRST_USABLE) || last < first || last >= BigInt(sectors - TABLE_SECTORS - 1)) {
      throw wrong(`partition ${index + 1} lies outside the file`);
    }
    const label = entry.subarray(56, 128).toString('utf16le');
    partitions.push({
      typeUuid: guidText(entry.subarray(0, 16)),
      uuid: guidText(entry.subarray(16, 32)),
      label: label.slice(0, label.indexOf('\u0000') >>> 0),
      offset: Number(first) * SECTOR,
      size: Number(last - first + 1n) * SECTOR,
      flags: entry.readBigUInt64LE(48),
    });
  }
  const ordered = [...partitions].sort((a, b) => a.offset - b.offset);
  ordered.forEach((partition, index) => {
    const next = ordered[index + 1];
    if (next !== undefined && partition.offset + partition.size > next.offset)
      throw wrong('its partitions overlap');
  });
  return { diskUuid: guidText(header.subarray(56, 72)), diskSize, partitions };
}

/** GUIDs have their first three fields in little endian (UEFI, appendix A). */
function guidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

function guidText(bytes: Buffer): string {
  const hex = Buffer.from(bytes);
  hex.subarray(0, 4).reverse();
  hex.subarray(4, 6).reverse();
  hex.subarray(6, 8).reverse();
  const text = hex.toString('hex');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join(
    '-',
  );
}
