import { crc32 } from 'node:zlib';
import { malformed } from './failure.ts';
import { swapGuid, uuidBytes, uuidText } from './uuid.ts';

/** GUID Partition Table, UEFI specification 2.10, chapter 5; 512-byte sectors, 128 entries of 128 bytes, as every tool writes it. */
export const SECTOR = 512;
export const ENTRY_COUNT = 128;
export const ENTRY_SIZE = 128;
const ENTRIES_SECTORS = (ENTRY_COUNT * ENTRY_SIZE) / SECTOR;
/** Protective MBR, header and entries: the table at the start of the disk, bytes. */
export const PRIMARY_SIZE = (2 + ENTRIES_SECTORS) * SECTOR;
/** Entries and header: the copy at the end of the disk, bytes. */
export const BACKUP_SIZE = (1 + ENTRIES_SECTORS) * SECTOR;

// Header fields, table 5-5.
const HEADER = {
  signature: 0,
  revision: 8,
  headerSize: 12,
  headerCrc: 16,
  reserved: 20,
  myLba: 24,
  alternateLba: 32,
  firstUsable: 40,
  lastUsable: 48,
  diskGuid: 56,
  entriesLba: 72,
  entryCount: 80,
  entrySize: 84,
  entriesCrc: 88,
} as const;
const SIGNATURE = 'EFI PART';
const REVISION = 0x00010000;
const HEADER_SIZE = 92;
// Entry fields, table 5-6.
const ENTRY = { type: 0, unique: 16, first: 32, last: 40, attributes: 48, name: 56 } as const;
const NAME_BYTES = 72;
// Protective MBR, section 5.2.3: one partition record of type EE over the whole disk.
const MBR = { record: 446, type: 4, endChs: 5, startLba: 8, sectors: 12, signature: 510 } as const;

export interface GptPartition {
  readonly typeUuid: string;
  readonly uuid: string;
  readonly label: string;
  readonly attributes: bigint;
  /** Bytes from the start of the disk; a multiple of 512, as is `size`. */
  readonly offset: number;
  readonly size: number;
}

export interface Gpt {
  readonly diskUuid: string;
  /** Bytes; a multiple of 512. */
  readonly diskSize: number;
  /** Bytes from the start of the disk where partitions may begin. */
  readonly firstUsable: number;
  readonly partitions: readonly GptPartition[];
}

/** The table as it stands at the start of the disk (PRIMARY_SIZE bytes) and at its end (BACKUP_SIZE bytes). */
export function encodeGpt(gpt: Gpt): { readonly primary: Buffer; readonly backup: Buffer } {
  const sectors = gpt.diskSize / SECTOR;
  const entries = Buffer.alloc(ENTRY_COUNT * ENTRY_SIZE);
  gpt.partitions.forEach((partition, index) => {
    const entry = entries.subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
    swapGuid(uuidBytes(partition.typeUuid)).copy(entry, ENTRY.type);
    swapGuid(uuidBytes(partition.uuid)).copy(entry, ENTRY.unique);
    entry.writeBigUInt64LE(BigInt(partition.offset / SECTOR), ENTRY.first);
    entry.writeBigUInt64LE(BigInt((partition.offset + partition.size) / SECTOR - 1), ENTRY.last);
    entry.writeBigUInt64LE(partition.attributes, ENTRY.attributes);
    entry.write(partition.label, ENTRY.name, NAME_BYTES, 'utf16le');
  });
  const header = (myLba: number, alternateLba: number, entriesLba: number): Buffer => {
    const sector = Buffer.alloc(SECTOR);
    sector.write(SIGNATURE, HEADER.signature, 'latin1');
    sector.writeUInt32LE(REVISION, HEADER.revision);
    sector.writeUInt32LE(HEADER_SIZE, HEADER.headerSize);
    sector.writeBigUInt64LE(BigInt(myLba), HEADER.myLba);
    sector.writeBigUInt64LE(BigInt(alternateLba), HEADER.alternateLba);
    sector.writeBigUInt64LE(BigInt(gpt.firstUsable / SECTOR), HEADER.firstUsable);
    sector.writeBigUInt64LE(BigInt(sectors - BACKUP_SIZE / SECTOR - 1), HEADER.lastUsable);
    swapGuid(uuidBytes(gpt.diskUuid)).copy(sector, HEADER.diskGuid);
    sector.writeBigUInt64LE(BigInt(entriesLba), HEADER.entriesLba);
    sector.writeUInt32LE(ENTRY_COUNT, HEADER.entryCount);
    sector.writeUInt32LE(ENTRY_SIZE, HEADER.entrySize);
    sector.writeUInt32LE(crc32(entries), HEADER.entriesCrc);
    sector.writeUInt32LE(crc32(sector.subarray(0, HEADER_SIZE)), HEADER.headerCrc);
    return sector;
  };
  return {
    primary: Buffer.concat([protectiveMbr(sectors), header(1, sectors - 1, 2), entries]),
    backup: Buffer.concat([entries, header(sectors - 1, 1, sectors - 1 - ENTRIES_SECTORS)]),
  };
}

function protectiveMbr(sectors: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  const record = sector.subarray(MBR.record, MBR.record + 16);
  record.set([0x00, 0x00, 0x02, 0x00], 0);
  record.writeUInt8(0xee, MBR.type);
  record.set([0xff, 0xff, 0xff], MBR.endChs);
  record.writeUInt32LE(1, MBR.startLba);
  record.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), MBR.sectors);
  sector.writeUInt16LE(0xaa55, MBR.signature);
  return sector;
}

/**
 * Reads the table at the start of a disk of `diskSize` bytes. `bytes` are the disk's first PRIMARY_SIZE bytes, `name` what errors call
 * the disk. Both checksums, every size and every place are checked against the disk and against each other. Throws `input`.
 */
export function parseGpt(bytes: Buffer, diskSize: number, name: string): Gpt {
  if (bytes.length < PRIMARY_SIZE || diskSize < PRIMARY_SIZE + BACKUP_SIZE) {
    throw malformed(name, `${diskSize} bytes are too few for a disk image`);
  }
  if (diskSize % SECTOR !== 0) {
    throw malformed(name, `its size of ${diskSize} bytes is no multiple of ${SECTOR}: it is truncated`);
  }
  const header = bytes.subarray(SECTOR, 2 * SECTOR);
  if (header.toString('latin1', HEADER.signature, 8) !== SIGNATURE) {
    throw malformed(name, 'has no GUID partition table');
  }
  const expect = (field: string, found: number | bigint, wanted: number | bigint) => {
    if (found !== wanted)
      throw malformed(name, `its partition table says ${field} ${found}, ${wanted} is right`);
  };
  expect('revision', header.readUInt32LE(HEADER.revision), REVISION);
  expect('header size', header.readUInt32LE(HEADER.headerSize), HEADER_SIZE);
  expect('entry size', header.readUInt32LE(HEADER.entrySize), ENTRY_SIZE);
  expect('entry count', header.readUInt32LE(HEADER.entryCount), ENTRY_COUNT);
  const zeroed = Buffer.from(header.subarray(0, HEADER_SIZE));
  zeroed.writeUInt32LE(0, HEADER.headerCrc);
  expect('header checksum', header.readUInt32LE(HEADER.headerCrc), crc32(zeroed));
  const entries = bytes.subarray(2 * SECTOR, PRIMARY_SIZE);
  expect('entries checksum', header.readUInt32LE(HEADER.entriesCrc), crc32(entries));
  const sectors = diskSize / SECTOR;
  expect('header sector', header.readBigUInt64LE(HEADER.myLba), 1n);
  expect('entries sector', header.readBigUInt64LE(HEADER.entriesLba), 2n);
  expect('backup sector', header.readBigUInt64LE(HEADER.alternateLba), BigInt(sectors - 1));
  const lastUsable = BigInt(sectors - BACKUP_SIZE / SECTOR - 1);
  expect('last usable sector', header.readBigUInt64LE(HEADER.lastUsable), lastUsable);
  const firstUsable = header.readBigUInt64LE(HEADER.firstUsable);
  if (firstUsable < BigInt(PRIMARY_SIZE / SECTOR) || firstUsable > lastUsable) {
    throw malformed(name, `its partition table says first usable sector ${firstUsable}, outside the disk`);
  }
  return {
    diskUuid: uuidText(swapGuid(header.subarray(HEADER.diskGuid, HEADER.diskGuid + 16))),
    diskSize,
    firstUsable: Number(firstUsable) * SECTOR,
    partitions: parseEntries(entries, firstUsable, lastUsable, name),
  };
}

function parseEntries(entries: Buffer, firstUsable: bigint, lastUsable: bigint, name: string): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let index = 0; index < ENTRY_COUNT; index += 1) {
    const entry = entries.subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
    if (entry.subarray(ENTRY.type, ENTRY.type + 16).every((byte) => byte === 0)) continue;
    const first = entry.readBigUInt64LE(ENTRY.first);
    const last = entry.readBigUInt64LE(ENTRY.last);
    if (first < firstUsable || last < first || last > lastUsable) {
      throw malformed(
        name,
        `partition ${index + 1} (sectors ${first} to ${last}) lies outside the disk's ${firstUsable} to ${lastUsable}`,
      );
    }
    partitions.push({
      typeUuid: uuidText(swapGuid(entry.subarray(ENTRY.type, ENTRY.type + 16))),
      uuid: uuidText(swapGuid(entry.subarray(ENTRY.unique, ENTRY.unique + 16))),
      label: entry.toString('utf16le', ENTRY.name, ENTRY.name + NAME_BYTES).replace(/\0.*$/su, ''),
      attributes: entry.readBigUInt64LE(ENTRY.attributes),
      offset: Number(first) * SECTOR,
      size: Number(last - first + 1n) * SECTOR,
    });
  }
  const sorted = partitions.toSorted((a, b) => a.offset - b.offset);
  sorted.forEach((partition, index) => {
    const before = sorted[index - 1];
    if (before !== undefined && before.offset + before.size > partition.offset) {
      throw malformed(name, `its partitions ${before.uuid} and ${partition.uuid} overlap`);
    }
  });
  return partitions;
}
