import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageParts } from '../../../src/node/download/image.ts';
import { verifyImage } from '../../../src/node/download/verify.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { silent } from '../../../src/support/progress.ts';
import { dataBlocks, makeSigner, seal } from '../../image/fixture.ts';
import { place, program, realPrograms, rootedHost } from '../rooted.ts';

const CERTIFICATES = '/etc/verity.d';
const path = '/opt/image.raw';
let root: string;
let host: Host;
let rootHash: string;
let keys: { readonly ours: string; readonly theirs: string };

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sextant-signature-'));
  realPrograms(root, ['openssl']);
  program(root, 'losetup', '[ "$1" = --detach ] || echo /dev/loop9');
  program(root, 'veritysetup');
  for (const folder of ['opt', 'run', 'etc/verity.d']) mkdirSync(`${root}/${folder}`, { recursive: true });
  const context = { cache: root, progress: silent, signal: new AbortController().signal };
  const signer = makeSigner(root, 'ours', 1);
  rootHash = (await seal(`${root}${path}`, dataBlocks(3), context, signer)).rootHash;
  keys = { ours: signer.certificate, theirs: makeSigner(root, 'theirs').certificate };
  host = rootedHost(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const trust = (...names: (keyof typeof keys)[]) => {
  for (const name of ['ours', 'theirs'] as const)
    rmSync(`${root}${CERTIFICATES}/${name}.crt`, { force: true });
  for (const name of names) copyFileSync(keys[name], `${root}${CERTIFICATES}/${name}.crt`);
};
const verify = (image = path) => verifyImage(host, image, rootHash, true);

test('an image as sextant builds it is read: its root hash, and three parts', () => {
  const parts = imageParts(host, path);
  expect(parts.rootHash).toBe(rootHash);
  expect([parts.root, parts.verity, parts.signature].every((part) => (part?.size ?? 0) > 0)).toBe(true);
});

test('a signature by a certificate of the node is taken, beside others', () => {
  trust('theirs', 'ours');
  verify();
  expect(host.list('/run/sextant')).toEqual([]);
});

test('a signature by no certificate of the node is refused, and those there are are named', () => {
  trust('theirs');
  expect(() => verify()).toThrow("signed by none of this node's certificates (/etc/verity.d/theirs.crt)");
  trust();
  expect(() => verify()).toThrow("signed by none of this node's certificates (there is none)");
});

test('a certificate that trusted boot hands over is taken as well', () => {
  trust();
  place(root, '/run/verity.d/DB0.crt', readFileSync(keys.ours));
  verify();
  rmSync(`${root}/run/verity.d`, { recursive: true });
});

test('a changed byte of the signature is refused', () => {
  trust('ours');
  const bytes = readFileSync(`${root}${path}`);
  const at = (imageParts(host, path).signature?.offset ?? 0) + 1;
  const text = bytes.toString('latin1', at);
  const signature = at + text.indexOf('"', text.indexOf('"signature"') + 20) - 40; // in the value, which comes last
  bytes[signature] = bytes[signature] === 0x41 ? 0x42 : 0x41;
  writeFileSync(`${root}/opt/changed.raw`, bytes);
  expect(() => verify('/opt/changed.raw')).toThrow(/signed by none|cannot be read/);
});

test.for([
  ['nothing', Buffer.alloc(0)],
  ['zeros', Buffer.alloc(8192)],
  ['a table that is cut short', 40],
  ['a header that makes no sense', 600],
] as const)('%s is no image', ([_, what]) => {
  const bytes = typeof what === 'number' ? readFileSync(`${root}${path}`).subarray(0, 512 + what) : what;
  writeFileSync(`${root}/opt/wrong.raw`, bytes);
  expect(() => verify('/opt/wrong.raw')).toThrow('/opt/wrong.raw: not an extension image');
});
