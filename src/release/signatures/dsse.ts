import { createHash, verify, type X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { fingerprint } from '../../image/signature.ts';
import type { Signer } from '../../image/types.ts';
import { SextantError } from '../../support/errors.ts';

const envelopeSchema = z.looseObject({
  payloadType: z.string(),
  payload: z.base64(),
  signatures: z.array(z.looseObject({ sig: z.base64(), keyid: z.string().optional() })).min(1),
});

/** What a DSSE signature covers (https://github.com/secure-systems-lab/dsse, protocol.md): type and body with their lengths. */
function preAuthEncoding(payloadType: string, body: Buffer): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${payloadType} ${body.length} `, 'utf8'), body]);
}

/** SHA-256 of the public key (SPKI, DER), hexadecimal: the hint which key signed. */
export function keyId({ publicKey }: Pick<X509Certificate, 'publicKey'>): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** One line of JSON: a body in a signed envelope, as cosign and in-toto read it. The same body and key give the same line. */
export async function signedEnvelope(payloadType: string, body: Buffer, signer: Signer): Promise<string> {
  const signature = await signer.sign(preAuthEncoding(payloadType, body));
  return `${JSON.stringify({
    payloadType,
    payload: body.toString('base64'),
    signatures: [{ keyid: keyId(signer.certificate), sig: signature.toString('base64') }],
  })}\n`;
}

/**
 * The body of an envelope of that type, signed by one of the certificates. Throws `verification` that says which of these it is: cut off or
 * no envelope, something else, signed by another key.
 */
export function openEnvelope(
  text: string,
  name: string,
  payloadType: string,
  trusted: readonly X509Certificate[],
): Buffer {
  const fail = (why: string) =>
    new SextantError('verification', `${name}: ${why}`, {
      hint: 'do not trust this release; fetch it again from where it was released',
    });
  let envelope: z.output<typeof envelopeSchema>;
  try {
    envelope = envelopeSchema.parse(JSON.parse(text));
  } catch {
    throw fail('is cut off, or not a signed statement (DSSE)');
  }
  if (envelope.payloadType !== payloadType) throw fail(`holds ${envelope.payloadType}, not ${payloadType}`);
  const body = Buffer.from(envelope.payload, 'base64');
  const signed = preAuthEncoding(payloadType, body);
  const good = envelope.signatures.some(({ sig }) =>
    trusted.some(({ publicKey }) => verify('sha256', signed, publicKey, Buffer.from(sig, 'base64'))),
  );
  if (good) return body;
  const known = new Set(trusted.map(keyId));
  const changed = envelope.signatures.some(({ keyid }) => keyid !== undefined && known.has(keyid));
  throw fail(
    changed
      ? 'was changed after it was signed'
      : `is not signed by the certificate ${trusted.map(fingerprint).join(' or ')}`,
  );
}
