import { createHash, X509Certificate as NodeCertificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { X509Certificate } from '../../../src/release/site/page/certificate.ts';
import { activationFile, missing } from '../../../src/release/site/page/form.ts';
import type { PageRelease } from '../../../src/release/site/page/release-data.ts';
import { sha256 } from '../../../src/release/site/page/sha256.ts';
import type { Release } from '../../../src/release/types.ts';
import { silent } from '../../../src/support/progress.ts';
import { makeSigner, type SigningFiles } from '../../image/fixture.ts';
import { sextant } from '../../sextant.ts';
import { makeRelease } from '../catalog/example.ts';

const there = mkdtempSync(join(tmpdir(), 'sextant-form-'));
let signer: SigningFiles;
let k3s: Release;
let k0s: Release;
beforeAll(async () => {
  const context = { cache: join(there, 'cache'), progress: silent, signal: new AbortController().signal };
  signer = makeSigner(there, 'release');
  chmodSync(signer.key, 0o600);
  const signing = { signing: signer, architectures: ['amd64', 'arm64'] as const };
  k3s = await makeRelease(join(there, 'k3s'), { version: 'v1.36.3+k3s1', ...signing }, context);
  k0s = await makeRelease(join(there, 'k0s'), { version: 'v1.36.3+k0s.0' }, context);
  writeFileSync(join(there, 'token'), 'secret-token\n');
});
afterAll(() => rmSync(there, { recursive: true, force: true }));

const pageRelease = (release: Release): PageRelease => ({
  ...release,
  ...(release.certificate === undefined ? {} : { certificatePem: readFileSync(signer.certificate, 'utf8') }),
});
const fields = { kind: 'single', trust: 'pin', url: '' };

describe('the form gives the bytes of `sextant activation`', () => {
  test.each([
    ['single node', 'k3s', {}, ['--k3s']],
    [
      'single node with arguments',
      'k3s',
      { args: '--disable=traefik  -v=2' },
      ['--k3s', '--arg=--disable=traefik', '--arg=-v=2'],
    ],
    [
      'peer to peer',
      'k3s',
      { kind: 'p2p', token: 'secret-token', role: 'worker' },
      ['--p2p-token-file', 'token', '--p2p-role', 'worker'],
    ],
    [
      'agent',
      'k3s',
      { kind: 'agent', server: 'https://10.0.0.2:6443', joinToken: 'K10::x' },
      ['--k3s-agent', '--env', 'K3S_URL=https://10.0.0.2:6443', 'K3S_TOKEN=K10::x'],
    ],
    ['strict trust', 'k3s', { trust: 'strict' }, ['--k3s', '--strict']],
    [
      'strict trust of the firmware',
      'k3s',
      { trust: 'firmware' },
      ['--k3s', '--strict', '--certificate', 'firmware'],
    ],
    ['a node that sextant-node takes over', 'k3s', { adopt: 'on' }, ['--k3s', '--adopt']],
    [
      'another address and a proxy',
      'k3s',
      { url: 'https://mirror.example.org/k8s/', proxy: 'http://proxy:3128', noProxy: '10.0.0.0/8' },
      [
        '--k3s',
        '--url',
        'https://mirror.example.org/k8s/',
        '--https-proxy',
        'http://proxy:3128',
        '--no-proxy',
        '10.0.0.0/8',
      ],
    ],
    [
      'k0s worker',
      'k0s',
      { kind: 'agent', tokenFile: '/etc/k0s/token' },
      ['--k0s-worker', '--arg=--token-file=/etc/k0s/token'],
    ],
    ['k0s', 'k0s', {}, ['--k0s']],
  ])('%s', (_name, which, values, options) => {
    const release = which === 'k3s' ? k3s : k0s;
    const { code, stdout, stderr } = sextant(['activation', which, ...options], { cwd: there });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(activationFile(pageRelease(release), { ...fields, ...values })).toBe(stdout);
  });
});

test('the file in the release is that of the form as it opens', () => {
  expect(activationFile(pageRelease(k3s), fields)).toBe(
    readFileSync(join(there, 'k3s/activation.yaml'), 'utf8'),
  );
});

test('what is missing is said, and nothing of another kind', () => {
  const release = pageRelease(k3s);
  const url = 'https://example.org';
  expect(missing(release, { ...fields, url })).toBeUndefined();
  expect(missing(release, fields)).toContain('served from');
  expect(missing(release, { ...fields, url, kind: 'p2p' })).toContain('network token');
  expect(missing(release, { ...fields, url, kind: 'agent' })).toContain('address of the server');
  expect(missing(release, { ...fields, url, kind: 'agent', server: 'https://x' })).toContain(
    'token of the server',
  );
  expect(missing(pageRelease(k0s), { ...fields, url, kind: 'agent' })).toContain('token file');
  expect(missing(release, { ...fields, url, joinToken: 'x', token: 'y' })).toBeUndefined();
});

test('what the renderer refuses is said by the path of the value, without the value', () => {
  const values = { ...fields, kind: 'p2p', token: 'two\u0000words', url: 'https://example.org' };
  expect(() => activationFile(pageRelease(k3s), values)).toThrow(
    /^activation: node\.p2p\.networkToken: must be one line/,
  );
});

test("the page's SHA-256 is everybody's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(sha256(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
    }),
  );
});

test('the page takes for a certificate what Node does, and nothing that is cut, lengthened or something else', () => {
  const pem = readFileSync(signer.certificate, 'utf8');
  expect(() => new X509Certificate(pem)).not.toThrow();
  const der = new NodeCertificate(pem).raw;
  expect(new X509Certificate(pem).fingerprint256).toBe(new NodeCertificate(pem).fingerprint256);
  const asPem = (bytes: Uint8Array) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE-----\n`;
  expect(() => new X509Certificate(asPem(der))).not.toThrow();
  expect(() => new X509Certificate('')).toThrow();
  expect(() => new X509Certificate(readFileSync(signer.key, 'utf8'))).toThrow();
  expect(() => new X509Certificate(asPem(Buffer.concat([der, Buffer.alloc(1)])))).toThrow();
  fc.assert(
    fc.property(fc.nat(der.length - 1), (length) => {
      expect(() => new X509Certificate(asPem(der.subarray(0, length)))).toThrow();
    }),
  );
});
