import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { runProgram } from '../programs.ts';
import { pemBlocks } from './settings.ts';

/**
 * Whether one of the certificates or public keys made the detached signature of a file: RSASSA-PKCS1-v1_5 with SHA-256, checked by openssl.
 * A certificate's dates do not count, as for extensions. `folder` is for temporary files. Throws `tool` where there is no openssl.
 */
export function isSigned(
  host: Host,
  file: string,
  signature: string,
  trust: string,
  folder: string,
): boolean {
  return pemBlocks(trust).some(({ certificate, pem }, index) => {
    const given = `${folder}/trust-${index}.pem`;
    host.writeNew(given, pem, 0o600);
    const key = certificate ? publicKey(host, given, `${folder}/key-${index}.pem`) : given;
    const args = ['dgst', '-sha256', '-verify', key, '-signature', signature, file];
    return runProgram(host, 'openssl', args, { okCodes: [0, 1] }).code === 0;
  });
}

function publicKey(host: Host, certificate: string, key: string): string {
  const args = ['x509', '-in', certificate, '-noout', '-pubkey'];
  const { code, stdout } = runProgram(host, 'openssl', args, { okCodes: [0, 1] });
  if (code !== 0)
    throw new Failure(
      'input',
      'catalog.trust: holds a certificate that openssl cannot read',
      'correct it where it is written: the cloud-config in /oem',
    );
  host.writeNew(key, stdout, 0o600);
  return key;
}
