/**
 * EFI_SIGNATURE_LIST of X.509 certificates (UEFI specification 2.10, section 32.4.1): what db, KEK and PK are made of. Lists may stand behind
 * one another in one file.
 */
const X509_TYPE = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072';
const GUID_BYTES = 16;
const HEADER_BYTES = GUID_BYTES + 3 * 4;

/** A list with one certificate (DER). `owner` is the GUID of whoever put it there. */
export function efiSignatureList(certificate: Buffer, owner: string): Buffer {
  const signatureBytes = GUID_BYTES + certificate.length;
  const header = Buffer.alloc(HEADER_BYTES);
  guidBytes(X509_TYPE).copy(header);
  header.writeUInt32LE(HEADER_BYTES + signatureBytes, GUID_BYTES); // SignatureListSize
  header.writeUInt32LE(0, GUID_BYTES + 4); // SignatureHeaderSize
  header.writeUInt32LE(signatureBytes, GUID_BYTES + 8); // SignatureSize
  return Buffer.concat([header, guidBytes(owner), certificate]);
}

/** A GUID as EFI writes it: the first three fields little-endian, the rest as it stands. */
function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = guid.split('-');
  const reversed = [a, b, c].map((field) => Buffer.from(field, 'hex').reverse());
  return Buffer.concat([...reversed, Buffer.from(d + e, 'hex')]);
}
