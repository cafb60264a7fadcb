import type { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readCertificate } from '../../image/signature.ts';
import { SextantError } from '../../support/errors.ts';
import { createKey, KEY_BITS, type KeyFiles, type KeyRequest } from './create.ts';

export interface Rotation {
  readonly old: { readonly certificate: string; readonly x509: X509Certificate };
  readonly next: KeyFiles;
}

/**
 * Makes the key that follows the one of a certificate: same name and size unless chosen otherwise. The old files stay as they are; what the
 * overlap needs is two certificates on the nodes, which the recipe's `signing.alsoTrust` puts there.
 */
export async function rotateKey(
  certificate: string,
  choices: Partial<Omit<KeyRequest, 'now'>> & Pick<KeyRequest, 'days' | 'encrypt'>,
): Promise<Rotation> {
  const x509 = await readCertificate(certificate);
  const next = await createKey({
    ...choices,
    name: choices.name ?? nextName(certificate),
    commonName: choices.commonName ?? commonNameOf(x509),
    bits: choices.bits ?? bitsOf(x509),
  });
  return { old: { certificate, x509 }, next };
}

/** release.crt -> release-2, release-2.crt -> release-3; the first of which no file is there. */
function nextName(certificate: string): string {
  const [, base = certificate, number] = /^(.*?)(?:-(\d{1,4}))?\.[^./]*$/.exec(certificate) ?? [];
  for (let next = Number(number ?? 1) + 1; next < 10_000; next += 1) {
    const name = `${base}-${next}`;
    if (!['key', 'crt', 'pub'].some((ending) => existsSync(`${name}.${ending}`))) return name;
  }
  throw new SextantError('usage', `${certificate}: no free name for the next key`, {
    hint: 'name it with --to',
  });
}

function commonNameOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? 'release';
}

function bitsOf({ publicKey }: X509Certificate): (typeof KEY_BITS)[number] {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  return KEY_BITS.find((known) => known === bits) ?? 4096;
}
