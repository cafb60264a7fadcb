import { sha256 } from './sha256.ts';

/**
 * Stands in for `X509Certificate` of node:crypto where the activation's renderer runs in a browser: throws for what is no PEM
 * certificate. It looks at the outermost structure only, SEQUENCE { tbsCertificate, algorithm, signature } (RFC 5280, 4.1); the page
 * itself gives it nothing but certificates that `sextant catalog` has read whole.
 */
export class X509Certificate {
  /** SHA-256 of the DER, as Node writes it: `AB:CD:...`. */
  readonly fingerprint256: string;

  constructor(pem: string) {
    const body =
      /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem)?.[1] ?? '';
    const bytes = Uint8Array.from(atob(body.replace(/\s+/g, '')), (character) => character.charCodeAt(0));
    const [outer, end] = value(bytes, 0, 0x30);
    if (end !== bytes.length) throw new Error('bytes after the certificate');
    const [, tbs] = value(bytes, outer, 0x30);
    const [, algorithm] = value(bytes, tbs, 0x30);
    const [, signature] = value(bytes, algorithm, 0x03);
    if (signature !== bytes.length) throw new Error('not a certificate');
    this.fingerprint256 = sha256(bytes).toUpperCase().match(/../g)?.join(':') ?? '';
  }
}

/** Where the value of a DER element begins and ends (X.690, 8.1). Throws where it is no element of that tag or goes beyond the bytes. */
function value(bytes: Uint8Array, at: number, tag: number): readonly [start: number, end: number] {
  const length = bytes[at + 1] ?? Number.NaN;
  const more = length & 0x80 ? length & 0x7f : 0;
  if (bytes[at] !== tag || Number.isNaN(length) || more > 3 || length === 0x80) throw new Error('not DER');
  let size = more === 0 ? length : 0;
  for (const byte of bytes.subarray(at + 2, at + 2 + more)) size = size * 256 + byte;
  const start = at + 2 + more;
  if (start + size > bytes.length) throw new Error('cut short');
  return [start, start + size];
}
