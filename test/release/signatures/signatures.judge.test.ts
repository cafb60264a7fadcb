import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey, type KeyFiles } from '../../../src/release/keys/create.ts';
import { openSigner } from '../../../src/release/keys/signer.ts';
import {
  IN_TOTO_PAYLOAD,
  PREDICATE_TYPE,
  STATEMENT_TYPE,
} from '../../../src/release/provenance/statement.ts';
import { signedEnvelope } from '../../../src/release/signatures/dsse.ts';
import { cacheFolder } from '../../../src/support/context.ts';
import { sha256 } from '../../../src/support/files.ts';

// cosign's own verification, without a transparency log (make tools, tools/judges-trust.sh), and plain openssl.
const work = mkdtempSync(join(tmpdir(), 'sextant-cosign-'));
const file = (name: string) => join(work, name);
let own: KeyFiles;
let other: KeyFiles;

beforeAll(async () => {
  const key = (name: string) =>
    createKey({ name: file(name), commonName: name, bits: 2048, days: 2, encrypt: false });
  [own, other] = [await key('own'), await key('other')];
  const signer = await openSigner(own);
  writeFileSync(file('blob'), 'what was released');
  writeFileSync(file('blob.sig'), await signer.sign(Buffer.from('what was released')));
  writeFileSync(file('changed'), 'what was not');
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [
      { name: 'more', digest: { sha256: sha256('more') } },
      { name: 'blob', digest: { sha256: sha256('what was released') } },
    ],
    predicateType: PREDICATE_TYPE,
    predicate: { buildDefinition: {}, runDetails: { builder: { id: 'https://sextant.invalid/sextant@1' } } },
  };
  writeFileSync(
    file('provenance.intoto.jsonl'),
    await signedEnvelope(IN_TOTO_PAYLOAD, Buffer.from(JSON.stringify(statement)), signer),
  );
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

function cosign(...args: string[]): string {
  const program = join(cacheFolder(), 'judges', 'go', 'bin', 'cosign-judge');
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw error;
  return `${stdout}${stderr}`.trim();
}

describe('cosign', () => {
  test('verifies the signature of a file by its key, and no other', () => {
    expect(cosign('blob', own.publicKey, file('blob.sig'), file('blob'))).toBe('Verified OK');
    expect(cosign('blob', other.publicKey, file('blob.sig'), file('blob'))).toContain('verification error');
    expect(cosign('blob', own.publicKey, file('blob.sig'), file('changed'))).toContain('verification error');
  });

  test('verifies a signed statement of provenance about a file, and no other', () => {
    const attestation = (key: string, about: string, type: string) =>
      cosign('attestation', key, file('provenance.intoto.jsonl'), file(about), type);
    expect(attestation(own.publicKey, 'blob', 'slsaprovenance1')).toBe('Verified OK');
    expect(attestation(own.publicKey, 'changed', 'slsaprovenance1')).toContain('no matching subject digest');
    expect(attestation(other.publicKey, 'blob', 'slsaprovenance1')).not.toContain('Verified');
    expect(attestation(own.publicKey, 'blob', 'cyclonedx')).toContain(PREDICATE_TYPE);
  });
});

test('openssl verifies the signature of a file with the public key', () => {
  const dgst = (about: string) => [
    'dgst',
    '-sha256',
    '-verify',
    own.publicKey,
    '-signature',
    file('blob.sig'),
    file(about),
  ];
  expect(execFileSync('openssl', dgst('blob'), { encoding: 'utf8' })).toBe('Verified OK\n');
  expect(spawnSync('openssl', dgst('changed')).status).not.toBe(0);
});
