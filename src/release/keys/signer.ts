import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
  type X509Certificate,
} from 'node:crypto';
import { readCertificate } from '../../image/signature.ts';
import type { Signer } from '../../image/types.ts';
import { SextantError } from '../../support/errors.ts';
import { checkedUri, isPkcs11, tokenPublicKey, tokenSign } from './pkcs11.ts';
import { readPrivate } from './private-file.ts';
import { PASSPHRASE_HINT, passphrase } from './secret.ts';

/** A private key opened for signing. */
export interface PrivateKey {
  readonly publicKey: KeyObject;
  sign(bytes: Buffer): Promise<Buffer>;
}

/** Bits below which nothing made today should be signed (NIST SP 800-57, part 1). */
const LEAST_BITS = 2048;

/**
 * Opens an RSA key: a PEM file that only its owner may read, or the pkcs11: address of one in a token. The pass phrase or PIN comes from the
 * environment. Throws `input` (or `tool`, where openssl is asked) with one line that names the key.
 */
export async function openKey(key: string): Promise<PrivateKey> {
  const secret = await passphrase();
  if (isPkcs11(key)) {
    const uri = checkedUri(key);
    const publicKey = await tokenPublicKey(uri, secret);
    return { publicKey, sign: (bytes) => tokenSign(uri, secret, bytes) };
  }
  const opened = parseKey(key, await readPrivate(key), secret);
  return { publicKey: createPublicKey(opened), sign: async (bytes) => sign('sha256', bytes, opened) };
}

/** A key with its certificate. Throws `input` when they do not belong together. */
export async function openSigner(signing: {
  readonly key: string;
  readonly certificate: string;
}): Promise<Signer> {
  const certificate = await readCertificate(signing.certificate);
  const key = await openKey(signing.key);
  if (!certificate.publicKey.equals(key.publicKey)) {
    throw new SextantError('input', `${signing.key}: is not the key of ${signing.certificate}`, {
      hint: 'give the key and the certificate that belong together',
    });
  }
  return { certificate, sign: (bytes) => checkedSign(key, certificate, signing.key, bytes) };
}

/** A token may hold another private key than its public one says: nothing leaves here that the certificate does not verify. */
async function checkedSign(
  key: PrivateKey,
  { publicKey }: X509Certificate,
  name: string,
  bytes: Buffer,
): Promise<Buffer> {
  const signature = await key.sign(bytes);
  if (verify('sha256', bytes, publicKey, signature)) return signature;
  throw new SextantError('tool', `${name}: what it signs does not verify with its certificate`, {
    hint: 'see that the address names one RSA key, and that the token signs with PKCS#1 v1.5 and SHA-256',
  });
}

function parseKey(file: string, pem: Buffer, secret: string | undefined): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, ...(secret === undefined ? {} : { passphrase: secret }) });
  } catch (error) {
    throw new SextantError('input', `${file}: ${whyNot(error as NodeJS.ErrnoException, pem, secret)}`, {
      hint: /ENCRYPTED/.test(pem.toString('latin1')) ? PASSPHRASE_HINT : 'make one: sextant key create',
      cause: error,
    });
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails } = key;
  const bits = asymmetricKeyDetails?.modulusLength ?? 0;
  if (type === 'rsa' && bits >= LEAST_BITS) return key;
  const what = type === 'rsa' ? `has ${bits} bits` : `is an ${type} key`;
  throw new SextantError('input', `${file}: ${what}, RSA of ${LEAST_BITS} bits or more is needed`, {
    hint: 'make one: sextant key create',
  });
}

function whyNot({ code }: NodeJS.ErrnoException, pem: Buffer, secret: string | undefined): string {
  const text = pem.toString('latin1');
  if (!/ENCRYPTED/.test(text)) {
    return /-----BEGIN CERTIFICATE-----/.test(text)
      ? 'is a certificate, a private key is needed'
      : 'no PEM private key';
  }
  if (secret === undefined || code === 'ERR_MISSING_PASSPHRASE')
    return 'is encrypted, and no pass phrase was given';
  return 'the pass phrase does not open it';
}
