import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as asn1js from 'asn1js';
import { Certificate, ContentInfo, SignedData } from 'pkijs';
import { SextantError } from '../support/errors.ts';
import type { SignatureInfo } from './types.ts';

// Object identifiers of RFC 5652 (CMS) and RFC 8017 (PKCS #1).
const SIGNED_DATA = '1.2.840.113549.1.7.2';
const DATA = '1.2.840.113549.1.7.1';
const SHA256 = '2.16.840.1.101.3.4.2.1';
const RSA = '1.2.840.113549.1.1.1';

/** Size of the signature partition, as systemd-repart makes it. */
export const SIGNATURE_BYTES = 16384;

/** The signature partition's content for a root hash: JSON as systemd reads it, zeros behind it. Reads PEM files; RSA keys only. */
export async function signaturePartition(
  rootHash: string,
  signing: { readonly key: string; readonly certificate: string },
): Promise<{ readonly bytes: Buffer; readonly info: SignatureInfo }> {
  const certificate = await readCertificate(signing.certificate);
  const key = await readKey(signing.key);
  if (!certificate.checkPrivateKey(key)) {
    throw new SextantError('input', `${signing.key}: is not the key of ${signing.certificate}`, {
      hint: 'give the key and the certificate that belong together',
    });
  }
  // systemd signs and checks the hash's hexadecimal text (repart.c, dissect-image.c).
  const der = pkcs7(certificate, sign('sha256', Buffer.from(rootHash, 'latin1'), key));
  return { bytes: partitionBytes(rootHash, certificate, der), info: signatureInfo(certificate) };
}

async function readKey(file: string) {
  try {
    const key = createPrivateKey(await readFile(file));
    if (key.asymmetricKeyType !== 'rsa') throw new Error(`an ${key.asymmetricKeyType} key, RSA is needed`);
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('E') && (error as NodeJS.ErrnoException).path)
      throw error;
    throw new SextantError(
      'input',
      `${file}: not a private key that can sign an image: ${(error as Error).message}`,
      {
        hint: 'make one: openssl req -x509 -newkey rsa:4096 -nodes -keyout key.pem -out cert.pem -subj /CN=release -days 3650',
      },
    );
  }
}

/** The first certificate of a PEM file. */
export async function readCertificate(file: string): Promise<X509Certificate> {
  const text = await readFile(file);
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new SextantError('input', `${file}: not a PEM certificate`, { cause: error });
  }
}

function partitionBytes(rootHash: string, certificate: X509Certificate, der: Buffer): Buffer {
  const json = JSON.stringify({
    rootHash,
    certificateFingerprint: fingerprint(certificate),
    signature: der.toString('base64'),
  });
  if (json.length > SIGNATURE_BYTES)
    throw new SextantError('input', 'the certificate is too large for a signature partition');
  const bytes = Buffer.alloc(SIGNATURE_BYTES);
  bytes.write(json, 'latin1');
  return bytes;
}

function fingerprint(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function signatureInfo(certificate: X509Certificate): SignatureInfo {
  return {
    certificateFingerprint: fingerprint(certificate),
    subject: certificate.subject,
    notAfter: new Date(certificate.validTo).toISOString(),
  };
}

/** Detached SignedData (RFC 5652, 5.1) with the certificate in it and no signed attributes: the same input gives the same bytes. */
function pkcs7(certificate: X509Certificate, signature: Buffer): Buffer {
  const parsed = Certificate.fromBER(exact(certificate.raw));
  const identifier = (oid: string) =>
    new asn1js.Sequence({ value: [new asn1js.ObjectIdentifier({ value: oid }), new asn1js.Null()] });
  const signer = new asn1js.Sequence({
    value: [
      new asn1js.Integer({ value: 1 }),
      new asn1js.Sequence({ value: [parsed.issuer.toSchema(), parsed.serialNumber] }),
      identifier(SHA256),
      identifier(RSA),
      new asn1js.OctetString({ valueHex: exact(signature) }),
    ],
  });
  const signedData = new asn1js.Sequence({
    value: [
      new asn1js.Integer({ value: 1 }),
      new asn1js.Set({ value: [identifier(SHA256)] }),
      new asn1js.Sequence({ value: [new asn1js.ObjectIdentifier({ value: DATA })] }),
      new asn1js.Constructed({
        idBlock: { tagClass: 3, tagNumber: 0 },
        value: [asn1js.fromBER(exact(certificate.raw)).result],
      }),
      new asn1js.Set({ value: [signer] }),
    ],
  });
  const content = new asn1js.Sequence({
    value: [
      new asn1js.ObjectIdentifier({ value: SIGNED_DATA }),
      new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [signedData] }),
    ],
  });
  return Buffer.from(content.toBER());
}

function exact(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

export interface ReadSignature {
  readonly rootHash: string;
  readonly certificate: X509Certificate;
  readonly signature: Buffer;
  readonly info: SignatureInfo;
}

/** Reads a signature partition; malformed content is an `input` error. Nothing is verified yet. */
export function parseSignature(bytes: Buffer, name: string): ReadSignature {
  const wrong = (why: string) => new SextantError('input', `${name}: its signature partition ${why}`);
  const end = bytes.indexOf(0);
  try {
    const value = JSON.parse(bytes.toString('utf8', 0, end < 0 ? bytes.length : end)) as Record<
      string,
      unknown
    >;
    const { rootHash, signature } = value;
    if (typeof rootHash !== 'string' || typeof signature !== 'string')
      throw wrong('lacks its root hash or signature');
    const content = ContentInfo.fromBER(exact(Buffer.from(signature, 'base64')));
    const signed = new SignedData({ schema: content.content });
    const [embedded] = signed.certificates ?? [];
    const [signer] = signed.signerInfos;
    if (!(embedded instanceof Certificate) || signer === undefined)
      throw wrong('lacks a certificate or a signer');
    const certificate = new X509Certificate(Buffer.from(embedded.toSchema(false).toBER()));
    return {
      rootHash,
      certificate,
      signature: Buffer.from(signer.signature.valueBlock.valueHexView),
      info: signatureInfo(certificate),
    };
  } catch (error) {
    throw error instanceof SextantError ? error : wrong('cannot be read');
  }
}

/**
 * Checks that a signature partition is what a signer of `rootHash` wrote, byte for byte, and signed by `trusted` when given. Throws
 * `verification`.
 */
export function checkSignature(
  bytes: Buffer,
  rootHash: string,
  name: string,
  trusted?: X509Certificate,
): SignatureInfo {
  const fail = (why: string) =>
    new SextantError('verification', `${name}: ${why}`, {
      hint: 'do not use this file; fetch it again from where it was released',
    });
  const read = parseSignature(bytes, name);
  if (read.rootHash !== rootHash)
    throw fail(`its signature is for the root hash ${read.rootHash}, its data has ${rootHash}`);
  if (trusted !== undefined && fingerprint(trusted) !== read.info.certificateFingerprint) {
    throw fail(
      `signed by ${read.info.certificateFingerprint}, not by the certificate ${fingerprint(trusted)}`,
    );
  }
  let written: Buffer;
  try {
    if (!verify('sha256', Buffer.from(rootHash, 'latin1'), read.certificate.publicKey, read.signature)) {
      throw fail('its signature does not fit its root hash');
    }
    written = partitionBytes(rootHash, read.certificate, pkcs7(read.certificate, read.signature));
  } catch (error) {
    // A changed certificate may hold a key that cannot even be decoded.
    throw error instanceof SextantError ? error : fail('its certificate cannot be used');
  }
  if (!written.equals(bytes))
    throw fail('its signature partition holds bytes that are no part of a signature');
  return read.info;
}
