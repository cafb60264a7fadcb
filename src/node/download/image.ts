import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';

/** A part of an image file, in bytes. */
export interface Part {
  readonly offset: number;
  readonly size: number;
  /** Its unique partition UUID. */
  readonly uuid: string;
}

/** What an extension's image is made of. */
export interface ImageParts {
  readonly root: Part;
  readonly verity: Part;
  readonly signature: Part | undefined;
  /** By the partitions' UUIDs: first half the data's, second half the hash tree's (Discoverable Partitions Specification). */
  readonly rootHash: string;
}

/** root, root-verity and root-verity-sig of amd64 and arm64 (Discoverable Partitions Specification). */
const TYPES: Readonly<Record<string, 'root' | 'verity' | 'signature'>> = {
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'root',
  'b921b045-1df0-41c3-af44-4c6f280d3fae': 'root',
  '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5': 'verity',
  'df3300ce-d69f-4c92-978c-9bfb0f38d820': 'verity',
  '41092b05-9fc8-4523-994f-2def0408b176': 'signature',
  '6db69de6-29f4-4758-a7a5-962190f00ce3': 'signature',
};

const SECTOR = 512;
const MOST_ENTRIES = 128;

/**
 * The partitions of an image. UEFI Specification 2.10, 5.3: the header is in sector 1 (entries at 72, their number at 80, their size at 84),
 * an entry has its type at 0, its UUID at 16, its first and last sector at 32 and 40. Throws `verification` for what is none.
 */
export function imageParts(host: Host, path: string): ImageParts {
  const wrong = (what: string) =>
    new Failure('verification', `${path}: not an extension image: ${what}`, 'build the release again');
  const size = host.stat(path)?.size ?? 0;
  const header = host.readBytes(path, SECTOR, SECTOR);
  if (header?.length !== SECTOR || host.decode(header.subarray(0, 8)) !== 'EFI PART')
    throw wrong('it has no partition table');
  const fields = new DataView(header.buffer, header.byteOffset);
  const [first, count, step] = [long(fields, 72), fields.getUint32(80, true), fields.getUint32(84, true)];
  if (count > MOST_ENTRIES || step < 128 || step > 4096 || first * SECTOR > size)
    throw wrong('its partition table makes no sense');
  const table = host.readBytes(path, first * SECTOR, count * step);
  if (table?.length !== count * step) throw wrong('its partition table is cut short');
  const found: Partial<Record<'root' | 'verity' | 'signature', Part>> = {};
  for (let index = 0; index < count; index += 1) {
    const entry = new DataView(table.buffer, table.byteOffset + index * step, step);
    const type = TYPES[guid(entry, 0)];
    if (type === undefined) continue;
    const offset = long(entry, 32) * SECTOR;
    const length = (long(entry, 40) + 1) * SECTOR - offset;
    if (found[type]) throw wrong(`it has two ${type} partitions`);
    if (length <= 0 || offset + length > size) throw wrong(`its ${type} partition is not inside the file`);
    found[type] = { offset, size: length, uuid: guid(entry, 16) };
  }
  const { root, verity, signature } = found;
  if (!root || !verity) throw wrong('it has no data with a hash tree');
  return { root, verity, signature, rootHash: `${root.uuid}${verity.uuid}`.replaceAll('-', '') };
}

/** 64 bits, little endian; what is past 2^53 is past the end of any file and stays so. */
function long(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** A GUID in the order of its text: the first three fields are little endian (UEFI Specification, appendix A). */
function guid(view: DataView, at: number): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const digits = order
    .map((byte) =>
      view
        .getUint8(at + byte)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
