/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected polynomial 0x82f63b78. */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** The register after `bytes`, from `seed`, without the usual final inversion: the form that erofs stores, seeded with 0xffffffff. */
export function crc32c(bytes: Uint8Array, seed = 0xffffffff): number {
  let register = seed >>> 0;
  for (let index = 0; index < bytes.length; index += 1) {
    register = ((TABLE[(register ^ (bytes[index] as number)) & 0xff] as number) ^ (register >>> 8)) >>> 0;
  }
  return register;
}
