import { constants, createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SextantError } from '../../support/errors.ts';
import { openKey } from '../keys/signer.ts';

/**
 * Detached signatures over a file's bytes: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2), the raw signature and nothing else, so that
 * `openssl dgst -sha256 -verify public.pem -signature FILE.sig FILE` checks it on any machine.
 */
const PADDING = constants.RSA_PKCS1_PADDING;

/** Signs bytes with a key: the PEM file of one, or the pkcs11: address of one in a token. Throws as `openKey` does. */
export async function signBytes(bytes: Uint8Array, key: string): Promise<Buffer> {
  return (await openKey(key)).sign(Buffer.from(bytes));
}

/** The public part of a signing key. */
export async function publicPart(key: string): Promise<KeyObject> {
  return (await openKey(key)).publicKey;
}

/** The public keys of a PEM file: of each `CERTIFICATE` or `PUBLIC KEY` in it. None that can be read is an `input` error. */
export async function trustedKeys(file: string): Promise<readonly KeyObject[]> {
  return keysOf(await readFile(file, 'utf8'), file);
}

/** The same of a PEM text. */
export function keysOf(pem: string, where: string): readonly KeyObject[] {
  const blocks = pem.match(/-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[\s\S]+?-----END \1-----/g) ?? [];
  try {
    if (blocks.length === 0) throw new Error('nothing in it');
    return blocks.map((block) =>
      rsa(
        block.startsWith('-----BEGIN C') ? new X509Certificate(block).publicKey : createPublicKey(block),
        where,
      ),
    );
  } catch (error) {
    if (error instanceof SextantError) throw error;
    throw new SextantError('input', `${where}: holds no PEM certificate or public key that can be read`, {
      hint: 'sextant key create makes NAME.crt and NAME.pub',
      cause: error,
    });
  }
}

/** Whether one of the keys made the signature. */
export function isSignedBy(bytes: Uint8Array, signature: Uint8Array, keys: readonly KeyObject[]): boolean {
  return keys.some((key) => verify('sha256', bytes, { key, padding: PADDING }, signature));
}

function rsa(key: KeyObject, where: string): KeyObject {
  if (key.asymmetricKeyType === 'rsa') return key;
  throw new SextantError('input', `${where}: is a ${key.asymmetricKeyType} key, an RSA one is needed`, {
    hint: 'make one: sextant key create',
  });
}
