import { verify, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SextantError } from '../support/errors.ts';
import { encodePkcs7, parsePkcs7, preparePkcs7 } from './pkcs7.ts';
import type { SignatureInfo, Signer } from './types.ts';

/** Size of the signature partition, as systemd-repart makes it. */
export const SIGNATURE_BYTES = 16384;

/** The signature partition's content for a root hash: JSON as systemd reads it, zeros behind it. */
export async function signaturePartition(rootHash: string, signer: Signer): Promise<Buffer> {
  preparePkcs7();
  const { certificate } = signer;
  // systemd signs and checks the hash's hexadecimal text (repart.c, dissect-image.c).
  const value = await signer.sign(Buffer.from(rootHash, 'latin1'));
  return partitionBytes(rootHash, certificate, await encodePkcs7({ certificate: certificate.raw, value }));
}

/** The first certificate of a PEM file. */
export async function readCertificate(file: string): Promise<X509Certificate> {
  const text = await readFile(file);
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new SextantError('input', `${file}: not a PEM certificate`, {
      hint: 'name the .crt file of the key pair: -----BEGIN CERTIFICATE-----',
      cause: error,
    });
  }
}

function partitionBytes(rootHash: string, certificate: X509Certificate, der: Buffer): Buffer {
  const json = JSON.stringify({
    rootHash,
    certificateFingerprint: fingerprint(certificate),
    signature: der.toString('base64'),
  });
  // systemd reads it as text: at least one zero must end it.
  if (json.length >= SIGNATURE_BYTES)
    throw new SextantError('input', 'the certificate is too large for a signature partition');
  const bytes = Buffer.alloc(SIGNATURE_BYTES);
  bytes.write(json, 'latin1');
  return bytes;
}

/** SHA-256 of a certificate's DER, hexadecimal. */
export function fingerprint(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function signatureInfo(certificate: X509Certificate): SignatureInfo {
  return {
    certificateFingerprint: fingerprint(certificate),
    subject: certificate.subject,
    notAfter: new Date(certificate.validTo).toISOString(),
  };
}

export interface ReadSignature {
  readonly rootHash: string;
  readonly certificate: X509Certificate;
  readonly signature: Buffer;
  readonly info: SignatureInfo;
}

/** Reads a signature partition; malformed content is an `input` error. Nothing is verified yet. */
export async function parseSignature(bytes: Buffer, name: string): Promise<ReadSignature> {
  const wrong = (why: string) => new SextantError('input', `${name}: its signature partition ${why}`);
  const end = bytes.indexOf(0);
  try {
    const json = bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
    const { rootHash, signature } = JSON.parse(json) as Record<string, unknown>;
    if (typeof rootHash !== 'string' || typeof signature !== 'string')
      throw wrong('lacks its root hash or signature');
    const { certificate: der, value } = await parsePkcs7(Buffer.from(signature, 'base64'));
    const certificate = new X509Certificate(der);
    return { rootHash, certificate, signature: value, info: signatureInfo(certificate) };
  } catch (error) {
    throw error instanceof SextantError ? error : wrong('cannot be read');
  }
}

/**
 * Checks that a signature partition is what a signer of `rootHash` wrote, byte for byte, and signed by one of `trusted` when given. Throws
 * `verification`.
 */
export async function checkSignature(
  bytes: Buffer,
  rootHash: string,
  name: string,
  trusted?: readonly X509Certificate[],
): Promise<SignatureInfo> {
  const fail = (why: string) =>
    new SextantError('verification', `${name}: ${why}`, {
      hint: 'do not use this file; fetch it again from where it was released',
    });
  const read = await parseSignature(bytes, name);
  if (read.rootHash !== rootHash)
    throw fail(`its signature is for the root hash ${read.rootHash}, its data has ${rootHash}`);
  if (trusted?.some((one) => fingerprint(one) === read.info.certificateFingerprint) === false) {
    throw fail(
      `signed by ${read.info.certificateFingerprint}, not by the certificate ${trusted.map(fingerprint).join(' or ')}`,
    );
  }
  let written: Buffer;
  try {
    if (!verify('sha256', Buffer.from(rootHash, 'latin1'), read.certificate.publicKey, read.signature)) {
      throw fail('its signature does not fit its root hash');
    }
    const der = await encodePkcs7({ certificate: read.certificate.raw, value: read.signature });
    written = partitionBytes(rootHash, read.certificate, der);
  } catch (error) {
    // A changed certificate may hold a key that cannot even be decoded.
    throw error instanceof SextantError ? error : fail('its certificate cannot be used');
  }
  if (!written.equals(bytes))
    throw fail('its signature partition holds bytes that are no part of a signature');
  return read.info;
}
