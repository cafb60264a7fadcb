import type { X509Certificate } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint } from '../image/signature.ts';
import type { Lock } from '../lock/types.ts';
import type { Architecture } from '../support/architecture.ts';
import { fileDigest, sha256 } from '../support/files.ts';
import { checksumsText } from './checksums.ts';
import { IN_TOTO_PAYLOAD, PROVENANCE, provenanceText } from './provenance/statement.ts';
import { CHECKSUMS_SIGNATURE } from './signatures/checksums.ts';
import { signedEnvelope } from './signatures/dsse.ts';
import type { Signing } from './signing.ts';
import { sourceDateEpoch } from './source-date.ts';
import type { Release } from './types.ts';

/** What release.json says of the files that vouch for a release. */
export function signedFields(name: string, signing: Signing | undefined) {
  if (signing === undefined) return { provenance: PROVENANCE.unsigned };
  const { alsoTrust } = signing;
  return {
    provenance: PROVENANCE.signed,
    certificate: `${name}.crt`,
    publicKey: `${name}.pub`,
    checksumsSignature: CHECKSUMS_SIGNATURE,
    ...(alsoTrust.length === 0 ? {} : { alsoTrust: alsoTrust.map((one) => alsoTrustFile(name, one)) }),
  };
}

const alsoTrustFile = (name: string, certificate: X509Certificate) =>
  `${name}-${fingerprint(certificate).slice(0, 8)}.crt`;

/** Puts the certificates of a signed release into its folder, and the public key by itself: openssl and cosign ask for that. */
export async function writeCertificates(
  folder: string,
  { name, certificate, publicKey }: Release,
  signing: Signing | undefined,
): Promise<void> {
  if (signing === undefined || certificate === undefined || publicKey === undefined) return;
  const { signer, alsoTrust } = signing;
  await writeFile(join(folder, certificate), signer.certificate.toString());
  const key = signer.certificate.publicKey.export({ type: 'spki', format: 'pem' });
  await writeFile(join(folder, publicKey), key);
  for (const one of alsoTrust) await writeFile(join(folder, alsoTrustFile(name, one)), one.toString());
}

export interface SealRequest {
  readonly folder: string;
  readonly release: Release;
  readonly lock: Lock;
  readonly host: Architecture;
  readonly signing: Signing | undefined;
}

/**
 * The last files of a release, when all others are in its folder: provenance about each of them, SHA256SUMS over all, and with a key both
 * signed. The same files, lock and key give the same bytes.
 */
export async function sealRelease({ folder, release, lock, host, signing }: SealRequest): Promise<void> {
  const files = await digests(folder, release);
  const sourceDate = sourceDateEpoch();
  const statement = provenanceText({
    release,
    lock,
    host,
    files,
    ...(sourceDate === undefined ? {} : { sourceDate }),
  });
  const file = release.provenance ?? PROVENANCE.unsigned;
  const text =
    signing === undefined
      ? statement
      : await signedEnvelope(IN_TOTO_PAYLOAD, Buffer.from(statement, 'utf8'), signing.signer);
  await writeFile(join(folder, file), text);
  const sums = checksumsText({ ...files, [file]: sha256(text) });
  await writeFile(join(folder, 'SHA256SUMS'), sums);
  if (signing === undefined) return;
  await writeFile(join(folder, CHECKSUMS_SIGNATURE), await signing.signer.sign(Buffer.from(sums, 'utf8')));
}

async function digests(folder: string, { images }: Release): Promise<Record<string, string>> {
  const known = new Map(images.map(({ file, sha256: digest }) => [file, digest]));
  const all: Record<string, string> = {};
  for (const name of await readdir(folder)) {
    all[name] = known.get(name) ?? (await fileDigest(join(folder, name))).sha256;
  }
  return all;
}
