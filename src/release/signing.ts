import type { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { fingerprint, readCertificate } from '../image/signature.ts';
import type { Signer } from '../image/types.ts';
import { isPkcs11 } from './keys/pkcs11.ts';
import { openSigner } from './keys/signer.ts';
import type { Session } from './session.ts';

/** What a recipe's `signing` names, opened. */
export interface Signing {
  readonly signer: Signer;
  /** Certificates besides the signer's that strict nodes are to trust. */
  readonly alsoTrust: readonly X509Certificate[];
}

/** Opens the key and the certificates of a recipe; undefined for one that signs nothing. Throws one line that names what is wrong. */
export async function openSigning({ recipe, folder }: Session): Promise<Signing | undefined> {
  const { signing } = recipe;
  if (signing === undefined) return undefined;
  const signer = await openSigner({
    key: isPkcs11(signing.key) ? signing.key : resolve(folder, signing.key),
    certificate: resolve(folder, signing.certificate),
  });
  const others = await Promise.all(signing.alsoTrust.map((file) => readCertificate(resolve(folder, file))));
  const known = new Set([fingerprint(signer.certificate)]);
  const alsoTrust = others.filter((one) => {
    const digest = fingerprint(one);
    return !known.has(digest) && known.add(digest);
  });
  return { signer, alsoTrust };
}

/** Fingerprints of what signs and what is trusted: another key makes another release. */
export async function certificateDigests({ recipe, folder }: Session): Promise<string[]> {
  const { signing } = recipe;
  if (signing === undefined) return [];
  const files = [signing.certificate, ...signing.alsoTrust];
  return Promise.all(files.map(async (file) => fingerprint(await readCertificate(resolve(folder, file)))));
}
