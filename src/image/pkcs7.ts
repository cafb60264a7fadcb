import type { BaseBlock, Constructed, OctetString } from 'asn1js';

/**
 * A detached PKCS#7 signature (RFC 2315, section 9) with one RSA signer, SHA-256, the signer's certificate and no attributes: what
 * systemd-repart writes (PKCS7_sign with DETACHED, NOATTR and BINARY) and systemd-dissect and the kernel read. Without attributes there
 * is no signing time in it, so the same key and content give the same bytes.
 */
const OID = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  sha256: '2.16.840.1.101.3.4.2.1',
  rsaEncryption: '1.2.840.113549.1.1.1',
} as const;

export interface DetachedSignature {
  /** The signer's certificate, DER. */
  readonly certificate: Buffer;
  /** RSA PKCS#1 v1.5 signature of the content. */
  readonly value: Buffer;
}

type Asn1 = typeof import('asn1js');

// Loaded on use: what signs nothing and reads no signature needs not wait for it.
let loading: Promise<Asn1> | undefined;
const loadAsn1 = (): Promise<Asn1> => {
  loading ??= import('asn1js');
  return loading;
};

/** Starts loading what reads and writes signatures, so that it is there when it is needed. */
export function preparePkcs7(): void {
  void loadAsn1();
}

/** The signature as DER. Throws RangeError when `certificate` is not DER. */
export async function encodePkcs7({ certificate, value }: DetachedSignature): Promise<Buffer> {
  const asn1 = await loadAsn1();
  const { Sequence, Set: SetOf, Constructed: Tagged, Integer, Null, ObjectIdentifier, OctetString } = asn1;
  const parsed = parseDer(asn1, certificate);
  const { issuer, serial } = issuerAndSerial(parsed);
  const oid = (value: string) => new ObjectIdentifier({ value });
  const algorithm = (value: string) => new Sequence({ value: [oid(value), new Null()] });
  const explicit = (tagNumber: number, value: BaseBlock[]) =>
    new Tagged({ idBlock: { tagClass: 3, tagNumber }, value });
  const signerInfo = new Sequence({
    value: [
      new Integer({ value: 1 }),
      new Sequence({ value: [issuer, serial] }),
      algorithm(OID.sha256),
      algorithm(OID.rsaEncryption),
      new OctetString({ valueHex: exactBuffer(value) }),
    ],
  });
  const signedData = new Sequence({
    value: [
      new Integer({ value: 1 }),
      new SetOf({ value: [algorithm(OID.sha256)] }),
      new Sequence({ value: [oid(OID.data)] }),
      explicit(0, [parsed]),
      new SetOf({ value: [signerInfo] }),
    ],
  });
  const encoded = new Sequence({ value: [oid(OID.signedData), explicit(0, [signedData])] }).toBER();
  return Buffer.from(encoded);
}

/**
 * Reads a signature of exactly the form that `encodePkcs7` writes; every byte counts, so a changed one is noticed. Throws RangeError
 * that says in a few words what is wrong.
 */
export async function parsePkcs7(der: Buffer): Promise<DetachedSignature> {
  const asn1 = await loadAsn1();
  const contentInfo = parseDer(asn1, der);
  const signedData = child(child(contentInfo, 1), 0);
  const certificate = child(child(signedData, 3), 0);
  const signerInfo = child(child(signedData, 4), 0);
  const octets = child(signerInfo, 4) as OctetString;
  if (!(octets instanceof asn1.OctetString)) throw new RangeError('no signature value in it');
  const signature = {
    certificate: Buffer.from(certificate.valueBeforeDecodeView),
    value: Buffer.from(octets.valueBlock.valueHexView),
  };
  const again = await encodePkcs7(signature);
  if (!again.equals(der)) {
    throw new RangeError('not a detached SHA-256 RSA signature without attributes, with its certificate');
  }
  return signature;
}

function parseDer(asn1: Asn1, der: Buffer): BaseBlock {
  const { offset, result } = asn1.fromBER(exactBuffer(der), { maxDepth: 32, maxNodes: 10_000 });
  if (offset !== der.length) throw new RangeError('not DER');
  return result;
}

/** Name and serial number of Certificate.tbsCertificate (RFC 5280, section 4.1); its first field, the version, may be missing. */
function issuerAndSerial(certificate: BaseBlock): { issuer: BaseBlock; serial: BaseBlock } {
  const tbs = child(certificate, 0);
  const at = child(tbs, 0).idBlock.tagClass === 3 ? 1 : 0;
  return { serial: child(tbs, at), issuer: child(tbs, at + 2) };
}

function child(block: BaseBlock, index: number): BaseBlock {
  const children = (block as Constructed).valueBlock.value as BaseBlock[] | undefined;
  const found = Array.isArray(children) ? children[index] : undefined;
  if (found === undefined) throw new RangeError('not a PKCS#7 signature');
  return found;
}

/** asn1js keeps views of what it is given: a copy of its own, without the pool that Buffers share. */
function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
