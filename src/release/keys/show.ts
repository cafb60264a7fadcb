import { verify, type X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint, readCertificate } from '../../image/signature.ts';
import { SextantError } from '../../support/errors.ts';
import { IN_TOTO_PAYLOAD } from '../provenance/statement.ts';
import { readRelease } from '../read.ts';
import { CHECKSUMS_SIGNATURE } from '../signatures/checksums.ts';
import { keyId, openEnvelope } from '../signatures/dsse.ts';

export interface KeyDescription {
  /** File that was read. */
  readonly certificate: string;
  readonly subject: string;
  /** SHA-256 of the certificate (DER): what release.json and a node's messages name. */
  readonly fingerprint: string;
  /** SHA-256 of the public key (SPKI, DER): what a signed statement names. */
  readonly keyId: string;
  readonly bits: number;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Of systemd no matter: it does not look at the dates. */
  readonly dates: 'valid' | 'expired' | 'not yet valid';
  /** Mode of the private key's file beside it, octal; undefined where there is none. */
  readonly keyFile?: { readonly path: string; readonly mode: string; readonly secret: boolean };
  readonly signed?: readonly SignedFile[];
}

export interface SignedFile {
  readonly file: string;
  /** "by this key", "by another key", "not signed". */
  readonly by: 'this' | 'another' | 'nobody';
}

/** Reads a certificate, looks at the private key's file beside it, and tells what the key signed in a release's folder. */
export async function describeKey(
  file: string,
  options: { readonly release?: string; readonly now?: Date } = {},
): Promise<KeyDescription> {
  const certificate = file.endsWith('.key') ? `${file.slice(0, -'.key'.length)}.crt` : file;
  const x509 = await readCertificate(certificate);
  const { publicKey, subject } = x509;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  if (publicKey.asymmetricKeyType !== 'rsa' || bits === undefined) {
    throw new SextantError(
      'input',
      `${certificate}: is for an ${publicKey.asymmetricKeyType} key, RSA is needed`,
    );
  }
  const now = (options.now ?? new Date()).getTime();
  const [notBefore, notAfter] = [new Date(x509.validFrom), new Date(x509.validTo)];
  const keyFile = await besides(certificate);
  return {
    certificate,
    subject: subject.replaceAll('\n', ', '),
    fingerprint: fingerprint(x509),
    keyId: keyId(x509),
    bits,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    dates: now < notBefore.getTime() ? 'not yet valid' : now > notAfter.getTime() ? 'expired' : 'valid',
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(options.release === undefined ? {} : { signed: await signedFiles(options.release, x509) }),
  };
}

async function besides(certificate: string): Promise<KeyDescription['keyFile']> {
  const path = certificate.replace(/\.(crt|pem|cert)$/, '.key');
  if (path === certificate) return undefined;
  const mode = await stat(path).then(
    (found) => found.mode & 0o777,
    () => undefined,
  );
  if (mode === undefined) return undefined;
  return { path, mode: mode.toString(8).padStart(4, '0'), secret: (mode & 0o077) === 0 };
}

/** What a key signed in a release. What it holds is not verified: `sextant verify` does that. */
async function signedFiles(folder: string, x509: X509Certificate): Promise<SignedFile[]> {
  const release = await readRelease(folder);
  const own = fingerprint(x509);
  const images = release.images.map(({ file, signature }): SignedFile => {
    if (signature === undefined) return { file, by: 'nobody' };
    return { file, by: signature.certificateFingerprint === own ? 'this' : 'another' };
  });
  const sums = await readFile(join(folder, 'SHA256SUMS'));
  const signature = await readFile(join(folder, CHECKSUMS_SIGNATURE)).catch(missing);
  const sumsBy =
    signature === undefined
      ? 'nobody'
      : verify('sha256', sums, x509.publicKey, signature)
        ? 'this'
        : 'another';
  return [
    ...images,
    { file: 'SHA256SUMS', by: sumsBy },
    ...(release.provenance === undefined
      ? []
      : [await provenanceSigner(folder, release.provenance, release.certificate, x509)]),
  ];
}

async function provenanceSigner(
  folder: string,
  file: string,
  certificate: string | undefined,
  x509: X509Certificate,
): Promise<SignedFile> {
  if (certificate === undefined) return { file, by: 'nobody' };
  const text = await readFile(join(folder, file), 'utf8');
  try {
    openEnvelope(text, file, IN_TOTO_PAYLOAD, [x509]);
    return { file, by: 'this' };
  } catch (error) {
    if (!(error instanceof SextantError)) throw error;
    return { file, by: 'another' };
  }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
