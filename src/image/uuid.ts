import { createHash } from 'node:crypto';

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** 16 bytes in network order (RFC 9562) as lower-case text. */
export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The 16 bytes of a UUID's text, in network order. Throws RangeError when it is none. */
export function uuidBytes(text: string): Buffer {
  if (!FORM.test(text)) throw new RangeError(`${text}: not a UUID`);
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}

/** GPT keeps the first three fields little-endian (UEFI 2.10, appendix A); the same swap leads back. */
export function swapGuid(bytes: Uint8Array): Buffer {
  const swapped = Buffer.from(bytes);
  swapped.subarray(0, 4).reverse();
  swapped.subarray(4, 6).reverse();
  swapped.subarray(6, 8).reverse();
  return swapped;
}

/** A UUID of version 8 (RFC 9562, section 5.8) that follows from what it is for and from a seed. */
export function derivedUuid(purpose: string, seed: string): string {
  const bytes = createHash('sha256').update(`sextant ${purpose}\0${seed}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidText(bytes);
}
