import { generateKeyPair, sign, X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { SextantError } from '../../support/errors.ts';
import { selfSigned } from './certificate.ts';
import { type NewFile, writeNewFiles } from './new-files.ts';
import { isPkcs11 } from './pkcs11.ts';
import { PASSPHRASE_HINT, passphrase } from './secret.ts';
import { openKey } from './signer.ts';

/** Sizes that firmware, systemd and the kernel all take. */
export const KEY_BITS = [2048, 3072, 4096] as const;

export interface KeyRequest {
  /** Path without ending: NAME.key, NAME.crt and NAME.pub are made. */
  readonly name: string;
  /** pkcs11: address of a key that is in a token already: only its certificate is made then. */
  readonly key?: string;
  readonly commonName: string;
  readonly bits: (typeof KEY_BITS)[number];
  readonly days: number;
  /** Encrypt the key file with the pass phrase of the environment. */
  readonly encrypt: boolean;
  readonly now?: Date;
}

export interface KeyFiles {
  /** PEM file of the private key (mode 0600), or the address of the one in a token. */
  readonly key: string;
  readonly certificate: string;
  readonly publicKey: string;
  readonly x509: X509Certificate;
}

const LONGEST_NAME = 64; // ub-common-name, RFC 5280, appendix A.1

/**
 * Makes an RSA key with its self-signed certificate and its public key as files; nothing that is there is ever overwritten, and either all
 * files are there afterwards or none. Throws `usage`, `input`, `filesystem`; `tool` for a key in a token.
 */
export async function createKey(request: KeyRequest): Promise<KeyFiles> {
  const { name, commonName, days, now = new Date() } = request;
  if (!/^[^\p{Cc}]+$/u.test(commonName) || commonName.length > LONGEST_NAME) {
    throw new SextantError('usage', `"${commonName}" cannot be a certificate's common name`, {
      hint: `give 1 to ${LONGEST_NAME} visible characters`,
    });
  }
  if (!Number.isInteger(days) || days < 1 || days > 36500) {
    throw new SextantError('usage', `a certificate for ${days} days`, { hint: 'give --days 1 to 36500' });
  }
  if (request.key !== undefined && !isPkcs11(request.key)) {
    throw new SextantError('usage', `--key ${request.key}: not a pkcs11: address`, {
      hint: 'leave --key away to make a key file',
    });
  }
  const files = { key: request.key ?? `${name}.key`, certificate: `${name}.crt`, publicKey: `${name}.pub` };
  const made: NewFile[] = [];
  let key = request.key === undefined ? undefined : await openKey(request.key);
  if (key === undefined) {
    const pair = await newPair(request);
    key = pair.key;
    made.push({ path: files.key, content: pair.pem, mode: 0o600 });
  }
  const certificate = await selfSigned({ key, commonName, days, now });
  made.push({ path: files.certificate, content: certificate, mode: 0o644 });
  const publicKey = key.publicKey.export({ type: 'spki', format: 'pem' });
  made.push({ path: files.publicKey, content: publicKey, mode: 0o644 });
  await mkdir(dirname(name), { recursive: true });
  await writeNewFiles(made);
  return { ...files, x509: new X509Certificate(certificate) };
}

async function newPair({ bits, encrypt }: KeyRequest) {
  const secret = await passphrase();
  if (encrypt && secret === undefined) {
    throw new SextantError('usage', '--encrypt needs a pass phrase', { hint: PASSPHRASE_HINT });
  }
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits });
  return {
    key: { publicKey, sign: async (bytes: Buffer) => sign('sha256', bytes, privateKey) },
    pem: privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      ...(encrypt && secret !== undefined ? { cipher: 'aes-256-cbc', passphrase: secret } : {}),
    }),
  };
}
