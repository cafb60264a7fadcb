import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { Signer } from '../../../src/image/types.ts';
import { selfSigned } from '../../../src/release/keys/certificate.ts';
import { openEnvelope, signedEnvelope } from '../../../src/release/signatures/dsse.ts';
import { SextantError } from '../../../src/support/errors.ts';

const TYPE = 'application/vnd.in-toto+json';
let a: Signer;
let b: Signer;
let envelope: string;

async function signer(commonName: string): Promise<Signer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { publicKey, sign: async (bytes: Buffer) => sign('sha256', bytes, privateKey) };
  const pem = await selfSigned({ key, commonName, days: 1, now: new Date() });
  return { certificate: new X509Certificate(pem), sign: key.sign };
}

beforeAll(async () => {
  [a, b] = [await signer('a'), await signer('b')];
  envelope = await signedEnvelope(TYPE, Buffer.from('{"body":1}'), a);
});

test('a body comes out of its envelope as it went in, and the same body gives the same envelope', async () => {
  expect(openEnvelope(envelope, 'e', TYPE, [b.certificate, a.certificate]).toString()).toBe('{"body":1}');
  expect(await signedEnvelope(TYPE, Buffer.from('{"body":1}'), a)).toBe(envelope);
});

const changed = (change: (value: { payload: string; payloadType: string; signatures: object[] }) => void) => {
  const value = JSON.parse(envelope);
  change(value);
  return JSON.stringify(value);
};
test.each([
  ['cut off', () => envelope.slice(0, -20), 'is cut off, or not a signed statement (DSSE)'],
  ['empty', () => '', 'is cut off, or not a signed statement (DSSE)'],
  ['a bare statement', () => '{"_type":"x"}', 'is cut off, or not a signed statement (DSSE)'],
  [
    'without a signature',
    () =>
      changed((value) => {
        value.signatures = [];
      }),
    'is cut off, or not a signed',
  ],
  [
    'of another type',
    () =>
      changed((value) => {
        value.payloadType = 'text/plain';
      }),
    'holds text/plain, not',
  ],
  [
    'with another body',
    () =>
      changed((value) => {
        value.payload = Buffer.from('{"body":2}').toString('base64');
      }),
    'was changed after it was signed',
  ],
])('an envelope that is %s is refused, and says so', (_, text, why) => {
  expect(() => openEnvelope(text(), 'e.jsonl', TYPE, [a.certificate])).toThrow(
    expect.objectContaining({ code: 'verification', message: expect.stringContaining(`e.jsonl: ${why}`) }),
  );
});

test('another key’s envelope is refused with the certificate that was wanted', () => {
  expect(() => openEnvelope(envelope, 'e.jsonl', TYPE, [b.certificate])).toThrow(
    /e\.jsonl: is not signed by the certificate [0-9a-f]{64}$/,
  );
});

test('whatever stands in the file, it is the signed body or an error', () => {
  fc.assert(
    fc.property(fc.nat(envelope.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, text) => {
      try {
        const body = openEnvelope(
          envelope.slice(0, at) + text + envelope.slice(at + text.length),
          'e',
          TYPE,
          [a.certificate],
        );
        expect(body.toString()).toBe('{"body":1}');
      } catch (error) {
        expect(error).toBeInstanceOf(SextantError);
      }
    }),
    { numRuns: 500 },
  );
});
