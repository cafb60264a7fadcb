import { verify, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint } from '../../image/signature.ts';
import { SextantError } from '../../support/errors.ts';

/** RSA PKCS#1 v1.5 with SHA-256 over SHA256SUMS, as bytes: what `openssl dgst -verify` and `cosign verify-blob` read. */
export const CHECKSUMS_SIGNATURE = 'SHA256SUMS.sig';

/** Checks the signature of a release's SHA256SUMS. Throws `verification`: missing, cut off, by another key, sums changed. */
export async function verifyChecksumsSignature(
  folder: string,
  trusted: readonly X509Certificate[],
): Promise<X509Certificate> {
  const file = join(folder, CHECKSUMS_SIGNATURE);
  const fail = (why: string) =>
    new SextantError('verification', `${file}: ${why}`, {
      hint: 'do not trust this release; fetch it again from where it was released',
    });
  const signature = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw fail('is missing: SHA256SUMS is not signed');
  });
  const sums = await readFile(join(folder, 'SHA256SUMS'));
  const signer = trusted.find(({ publicKey }) => verify('sha256', sums, publicKey, signature));
  if (signer !== undefined) return signer;
  const lengths = trusted.map(({ publicKey }) => (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  if (!lengths.includes(signature.length)) {
    throw fail(
      `has ${signature.length} bytes where a signature by this key has ${lengths.join(' or ')}: cut off, or by another key`,
    );
  }
  throw fail(
    `SHA256SUMS was changed after it was signed, or signed by another key than ${trusted.map(fingerprint).join(' or ')}`,
  );
}
