import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';

/** Key and certificate chain as Node's TLS wants them (PEM). */
export interface ServerIdentity {
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority that lives as long as one run of a hook; its key never leaves this process. */
export interface Authority {
  /** PEM of the authority's own certificate. */
  readonly certificate: string;
  /** Certificate for a host name or IP address; made once for each. */
  identityFor(host: string): Promise<ServerIdentity>;
}

const DAY = 24 * 60 * 60 * 1000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const USAGES: webcrypto.KeyUsage[] = ['sign', 'verify'];
// RFC 5280, section 4.2.1.
const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;
const GENERAL_NAME = { dns: 2, ip: 7 } as const;
// Bits of KeyUsage, most significant first: digitalSignature is bit 0, keyCertSign bit 5, cRLSign bit 6.
const KEY_USAGE = { server: 0x80, authority: 0x06 } as const;

/** Makes an authority with an ECDSA P-256 key. Everything it signs is valid from a day ago for two days (clocks may differ). */
export async function createAuthority(now = new Date()): Promise<Authority> {
  const engine = new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto as never });
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, USAGES);
  // One key serves all hosts of a run: they are one process with one lifetime.
  const serverKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, USAGES);
  const authorityName = 'Sextant hook sandbox';

  const issue = async (subject: string, publicKey: webcrypto.CryptoKey, extensions: pkijs.Extension[]) => {
    const certificate = new pkijs.Certificate();
    certificate.version = 2; // X.509 v3
    certificate.serialNumber = new asn1js.Integer({ valueHex: serialNumber() });
    certificate.issuer.typesAndValues.push(commonName(authorityName));
    certificate.subject.typesAndValues.push(commonName(subject));
    certificate.notBefore.value = new Date(now.getTime() - DAY);
    certificate.notAfter.value = new Date(now.getTime() + DAY);
    await certificate.subjectPublicKeyInfo.importKey(publicKey as never, engine);
    certificate.extensions = extensions;
    await certificate.sign(keys.privateKey as never, 'SHA-256', engine);
    return pem('CERTIFICATE', Buffer.from(certificate.toSchema(true).toBER(false)));
  };

  const identifier = new asn1js.OctetString({ valueHex: await keyIdentifier(keys.publicKey) });
  const certificate = await issue(authorityName, keys.publicKey, [
    extension(
      OID.basicConstraints,
      true,
      new pkijs.BasicConstraints({ cA: true, pathLenConstraint: 0 }).toSchema(),
    ),
    extension(OID.keyUsage, true, bits(KEY_USAGE.authority)),
    extension(OID.subjectKeyIdentifier, false, identifier),
  ]);
  const key = pem(
    'PRIVATE KEY',
    Buffer.from(await webcrypto.subtle.exportKey('pkcs8', serverKeys.privateKey)),
  );

  const identities = new Map<string, Promise<ServerIdentity>>();
  const makeIdentity = async (host: string): Promise<ServerIdentity> => {
    const name =
      isIP(host) === 0
        ? new pkijs.GeneralName({ type: GENERAL_NAME.dns, value: host })
        : new pkijs.GeneralName({
            type: GENERAL_NAME.ip,
            value: new asn1js.OctetString({ valueHex: addressBytes(host) }),
          });
    const cert = await issue('Sextant hook proxy', serverKeys.publicKey, [
      extension(OID.keyUsage, true, bits(KEY_USAGE.server)),
      extension(
        OID.extendedKeyUsage,
        false,
        new pkijs.ExtKeyUsage({ keyPurposes: [OID.serverAuth] }).toSchema(),
      ),
      extension(OID.subjectAltName, false, new pkijs.GeneralNames({ names: [name] }).toSchema()),
      extension(
        OID.authorityKeyIdentifier,
        false,
        new pkijs.AuthorityKeyIdentifier({ keyIdentifier: identifier }).toSchema(),
      ),
    ]);
    return { key, cert: cert + certificate };
  };
  return {
    certificate,
    identityFor(host) {
      const known = identities.get(host) ?? makeIdentity(host);
      identities.set(host, known);
      return known;
    },
  };
}

function commonName(value: string): pkijs.AttributeTypeAndValue {
  return new pkijs.AttributeTypeAndValue({ type: OID.commonName, value: new asn1js.Utf8String({ value }) });
}

function extension(extnID: string, critical: boolean, value: asn1js.BaseBlock): pkijs.Extension {
  return new pkijs.Extension({ extnID, critical, extnValue: value.toBER(false) });
}

function bits(octet: number): asn1js.BitString {
  const unusedBits = 31 - Math.clz32(octet & -octet); // Index of the lowest bit that is set (DER, X.690 section 11.2.2).
  return new asn1js.BitString({ valueHex: new Uint8Array([octet]).buffer, unusedBits });
}

/** RFC 5280, section 4.1.2.2: positive, at most 20 octets. */
function serialNumber(): ArrayBuffer {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.buffer;
}

/** RFC 5280, section 4.2.1.2, in the form of RFC 7093: a truncated SHA-256 of the public key. */
async function keyIdentifier(key: webcrypto.CryptoKey): Promise<ArrayBuffer> {
  const point = await webcrypto.subtle.exportKey('raw', key);
  return (await webcrypto.subtle.digest('SHA-256', point)).slice(0, 20);
}

/** The 4 or 16 octets of an IP address in a certificate (RFC 5280, section 4.2.1.6). */
export function addressBytes(address: string): ArrayBuffer {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.').map(Number)).buffer;
  // The URL parser turns every spelling, the dotted tail included, into hexadecimal groups.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff])).buffer;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
