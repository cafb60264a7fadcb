import { createPublicKey, type KeyObject } from 'node:crypto';
import { SextantError } from '../../support/errors.ts';
import { run } from '../../support/subprocess.ts';
import { PASSPHRASE, PASSPHRASE_HINT } from './secret.ts';

/** True for the address of a key in a token (RFC 7512). */
export function isPkcs11(key: string): boolean {
  return key.startsWith('pkcs11:');
}

/** An address that may be shown and handed to a program. Throws `usage` for one with a PIN in it: every process would see it. */
export function checkedUri(uri: string): string {
  if (/[?&;]pin-value=/.test(uri)) {
    throw new SextantError('usage', 'the pkcs11: address holds a PIN (pin-value)', {
      hint: `leave it out of the address; ${PASSPHRASE_HINT}`,
    });
  }
  return uri;
}

/** RSASSA-PKCS1-v1_5 with SHA-256 by a key that never leaves its token, through openssl and its pkcs11 provider. */
export async function tokenSign(uri: string, pin: string | undefined, bytes: Buffer): Promise<Buffer> {
  return openssl(uri, pin, ['dgst', '-sha256', '-sign', uri], bytes);
}

/** The public half of a key in a token; RSA only. */
export async function tokenPublicKey(uri: string, pin: string | undefined): Promise<KeyObject> {
  const key = createPublicKey(await openssl(uri, pin, ['pkey', '-in', uri, '-pubout'], Buffer.alloc(0)));
  if (key.asymmetricKeyType === 'rsa') return key;
  throw new SextantError('input', `${uri}: is an ${key.asymmetricKeyType} key, RSA is needed`, {
    hint: 'make an RSA key of 2048 bits or more in the token',
  });
}

/**
 * openssl with the pkcs11 provider. The provider and the token's own library find their configuration in variables that only their makers
 * know (PKCS11_PROVIDER_MODULE, SOFTHSM2_CONF, ...): this one program gets the caller's environment.
 */
async function openssl(
  uri: string,
  pin: string | undefined,
  [command = '', ...words]: readonly string[],
  input: Buffer,
): Promise<Buffer> {
  const { OPENSSL_CONF } = process.env;
  // A configuration of one's own says which providers there are, and with what options.
  const providers = OPENSSL_CONF ? [] : ['-provider', 'default', '-provider', 'pkcs11'];
  const secret = pin === undefined ? [] : ['-passin', `env:${PASSPHRASE}`];
  const environment = Object.entries({ ...process.env, LC_ALL: 'C.UTF-8', [PASSPHRASE]: pin });
  try {
    const { stdout } = await run('openssl', [command, ...providers, ...words, ...secret], {
      env: Object.fromEntries(
        environment.filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
      input,
      timeoutSeconds: 120,
      missingHint: 'install openssl 3 and its pkcs11 provider: apt-get install -y openssl pkcs11-provider',
    });
    return stdout;
  } catch (error) {
    if (!(error instanceof SextantError) || error.code !== 'tool' || error.details === undefined) throw error;
    throw new SextantError('tool', `${uri}: openssl cannot use this key: ${reason(error.details, pin)}`, {
      hint: `see that the token is there (p11tool --list-tokens), that openssl has its pkcs11 provider (apt-get install -y pkcs11-provider) and that PKCS11_PROVIDER_MODULE names the token's library; docs/trust.md`,
      details: error.details,
      cause: error,
    });
  }
}

/** What openssl's own words mean for a person. */
function reason(details: string, pin: string | undefined): string {
  if (/unable to load provider/.test(details)) return 'it has no pkcs11 provider';
  if (/No store loader found|file_open:No such file/.test(details))
    return 'its pkcs11 provider cannot load the library of the token';
  if (pin === undefined && /PIN|pass phrase/.test(details))
    return `the token wants a PIN; ${PASSPHRASE_HINT}`;
  if (/Could not find/.test(details)) return 'there is no such key in the token, or the PIN is wrong';
  return 'it says why below';
}
