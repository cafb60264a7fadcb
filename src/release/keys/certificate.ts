import { createHash, randomBytes } from 'node:crypto';
import type { PrivateKey } from './signer.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
// RFC 5280, sections 4.2.1 and 4.1.1.2; RFC 4055 for the algorithm.
const OID = {
  commonName: '2.5.4.3',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  codeSigning: '1.3.6.1.5.5.7.3.3',
} as const;
/** digitalSignature alone: seven unused bits behind it. */
const DIGITAL_SIGNATURE = { bytes: 0x80, unusedBits: 7 } as const;
/** A date from this year on is a GeneralizedTime (RFC 5280, section 4.1.2.5). */
const GENERALIZED_FROM = 2050;

export interface CertificateRequest {
  readonly key: PrivateKey;
  readonly commonName: string;
  readonly days: number;
  readonly now: Date;
}

/**
 * A self-signed X.509 certificate (PEM) for a signing key, wherever the key lives: the certificate's own signature is made as every other
 * is. It may sign code and nothing else, and is no authority.
 */
export async function selfSigned({ key, commonName, days, now }: CertificateRequest): Promise<string> {
  const [asn1js, pkijs] = await Promise.all([import('asn1js'), import('pkijs')]);
  const spki = key.publicKey.export({ type: 'spki', format: 'der' });
  const certificate = new pkijs.Certificate();
  certificate.version = 2; // X.509 v3
  const serial = randomBytes(16); // Positive, at most 20 octets (RFC 5280, section 4.1.2.2).
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  certificate.serialNumber = new asn1js.Integer({ valueHex: new Uint8Array(serial).buffer });
  for (const name of [certificate.issuer, certificate.subject]) {
    name.typesAndValues.push(
      new pkijs.AttributeTypeAndValue({
        type: OID.commonName,
        value: new asn1js.Utf8String({ value: commonName }),
      }),
    );
  }
  certificate.notBefore = time(now);
  certificate.notAfter = time(new Date(now.getTime() + days * DAY_MS));
  certificate.subjectPublicKeyInfo.fromSchema(asn1js.fromBER(new Uint8Array(spki).buffer).result);
  const extension = (extnID: string, critical: boolean, value: { toBER(sizeOnly?: boolean): ArrayBuffer }) =>
    new pkijs.Extension({ extnID, critical, extnValue: value.toBER(false) });
  const { bytes, unusedBits } = DIGITAL_SIGNATURE;
  const identifier = createHash('sha256').update(spki).digest().subarray(0, 20); // RFC 7093
  certificate.extensions = [
    extension(OID.basicConstraints, true, new pkijs.BasicConstraints({ cA: false }).toSchema()),
    extension(
      OID.keyUsage,
      true,
      new asn1js.BitString({ valueHex: new Uint8Array([bytes]).buffer, unusedBits }),
    ),
    extension(
      OID.extendedKeyUsage,
      false,
      new pkijs.ExtKeyUsage({ keyPurposes: [OID.codeSigning] }).toSchema(),
    ),
    extension(
      OID.subjectKeyIdentifier,
      false,
      new asn1js.OctetString({ valueHex: new Uint8Array(identifier).buffer }),
    ),
  ];
  const algorithm = () =>
    new pkijs.AlgorithmIdentifier({ algorithmId: OID.sha256WithRsa, algorithmParams: new asn1js.Null() });
  certificate.signature = algorithm();
  certificate.signatureAlgorithm = algorithm();
  const signed = Buffer.from(certificate.encodeTBS().toBER(false));
  certificate.tbsView = new Uint8Array(signed);
  const signature = await key.sign(signed);
  certificate.signatureValue = new asn1js.BitString({ valueHex: new Uint8Array(signature).buffer });
  return pem(Buffer.from(certificate.toSchema().toBER(false)));

  function time(value: Date) {
    return new pkijs.Time({ type: value.getUTCFullYear() < GENERALIZED_FROM ? 0 : 1, value });
  }
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
