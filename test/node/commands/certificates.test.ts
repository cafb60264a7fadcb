import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { storeFile } from '../../../src/node/model/paths.ts';
import type { ExtensionFile, Generation } from '../../../src/node/model/types.ts';
import { silent } from '../../../src/support/progress.ts';
import { dataBlocks, makeSigner, seal } from '../../image/fixture.ts';
import { sha256 } from '../download/example.ts';
import { place } from '../rooted.ts';
import { type FakeNode, fakeNode, NAME } from './fake-node.ts';

const STRICT = '/run/systemd/system/systemd-sysext.service.d/zz-sextant-strict.conf';
const OLD = '/etc/verity.d/old.crt';
const NEW = '/etc/verity.d/new.crt';
let folder: string;
let node: FakeNode;
const pem: Record<'old' | 'new', Buffer> = { old: Buffer.alloc(0), new: Buffer.alloc(0) };
const images: Record<'old' | 'new', { bytes: Buffer; rootHash: string }> = {} as never;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-certificates-'));
  const context = { cache: folder, progress: silent, signal: new AbortController().signal };
  for (const [name, blocks] of [
    ['old', 3],
    ['new', 4],
  ] as const) {
    const signer = makeSigner(folder, name);
    const path = join(folder, `${name}.raw`);
    const { rootHash } = await seal(path, dataBlocks(blocks), context, signer);
    images[name] = { bytes: readFileSync(path), rootHash };
    pem[name] = readFileSync(signer.certificate);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A strict node in the overlap: both certificates, a good generation of the old key, and what was upgraded to with the new one. */
beforeEach(() => {
  node = fakeNode();
  const first = node.adopted(node.activated(images.old.bytes, images.old.rootHash));
  const [good] = first.generations as [Generation];
  const file: ExtensionFile = {
    name: NAME,
    sha256: sha256(images.new.bytes),
    rootHash: images.new.rootHash,
    size: images.new.bytes.length,
  };
  place(node.root, storeFile(file), images.new.bytes);
  const next = { ...good, id: 2, turn: 2, files: [file], kubernetes: 'v1.33.5+k3s1' };
  node.write({ ...first, counter: 2, generations: [good, next] });
  place(node.root, STRICT, '[Service]\n');
  place(node.root, OLD, pem.old);
  place(node.root, NEW, pem.new);
});
afterEach(() => node.remove());

interface Shown {
  readonly fingerprint: string;
  readonly paths: readonly string[];
  readonly signed: readonly number[];
  readonly alone: readonly number[];
}
const shown = (): { strict: boolean; certificates: Shown[] } =>
  JSON.parse(node.run(['certificates', '--json']).out);
const fingerprintOf = (path: string) =>
  shown().certificates.find(({ paths }) => paths.includes(path))?.fingerprint ?? '';
const makeOnlyNewGood = () => {
  const records = node.records();
  const generations = records.generations.map((pair) =>
    pair.id === 1 ? { ...pair, state: 'superseded' as const, turn: 0 } : pair,
  );
  node.write({ ...records, generations, boot: null });
};

test('each certificate is shown with what it vouches for', () => {
  const { strict, certificates } = shown();
  expect(strict).toBe(true);
  expect(certificates.map(({ paths, signed, alone }) => ({ paths, signed, alone }))).toEqual([
    { paths: [NEW], signed: [2], alone: [2] },
    { paths: [OLD], signed: [1], alone: [1] },
  ]);
  const { code, out } = node.run(['certificates']);
  expect(code).toBe(0);
  expect(out).toContain('Only extensions signed by one of these are merged.');
  expect(out.replaceAll(/\s+/g, ' ')).toMatch(
    /CN=old, dates end .* GMT .* in \/etc\/verity\.d\/old\.crt vouches for generation 1/,
  );
});

test('one that a good generation needs is not taken away, and nothing is changed', () => {
  const before = node.durable();
  const { code, err } = node.run(['certificates', '--remove', fingerprintOf(OLD)]);
  expect(code).toBe(8);
  expect(err.replaceAll(/\s+/g, ' ')).toContain(
    `${OLD}: without it generation 1 (Kubernetes v1.33.4+k3s1 on kairos-core-debian-13 v4.1.0) would be lost: no other certificate vouches for it`,
  );
  expect(existsSync(`${node.root}${OLD}`)).toBe(true);
  expect(node.durable()).toEqual(before);
});

test('with --force it is, and what is lost is said', () => {
  const { code, out } = node.run(['certificates', '--force', '--remove', fingerprintOf(OLD).slice(0, 12)]);
  expect({ code, there: existsSync(`${node.root}${OLD}`) }).toEqual({ code: 0, there: false });
  expect(out.replaceAll(/\s+/g, ' ')).toContain(
    'Lost from the next merge on: generation 1 (Kubernetes v1.33.4+k3s1',
  );
  expect(existsSync(`${node.root}${NEW}`)).toBe(true);
});

test('one that no kept generation needs is taken away, and the file that writes it again is named', () => {
  makeOnlyNewGood();
  const indented = pem.old.toString().replaceAll(/^/gm, '          ');
  place(node.root, '/oem/90_sextant.yaml', `#cloud-config\nstages:\n${indented}`);
  const { code, out, err } = node.run(['certificates', '--remove', fingerprintOf(OLD)]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(existsSync(`${node.root}${OLD}`)).toBe(false);
  expect(out).toContain('/oem/90_sextant.yaml writes it again at the next boot');
  expect(out).not.toContain('90_custom.yaml');
  expect(shown().certificates).toHaveLength(1);
});

test('where signatures are not demanded nothing is lost with a certificate', () => {
  rmSync(`${node.root}${STRICT}`);
  const { code, out } = node.run(['certificates', '--remove', fingerprintOf(OLD)]);
  expect(code).toBe(0);
  expect(out.replaceAll(/\s+/g, ' ')).toContain('signatures are not demanded on this boot');
});

test('the same certificate in two files vouches once, and is taken out of both', () => {
  makeOnlyNewGood();
  place(node.root, '/run/verity.d/DB0.crt', pem.old);
  expect(node.run(['certificates', '--remove', fingerprintOf(OLD)]).code).toBe(0);
  expect([OLD, '/run/verity.d/DB0.crt'].map((path) => existsSync(`${node.root}${path}`))).toEqual([
    false,
    false,
  ]);
});

test.each([
  ['no fingerprint', ['--remove', 'xyz'], 2, 'is no fingerprint'],
  ['an unknown one', ['--remove', '0'.repeat(64)], 3, 'no certificate of this node'],
  ['--force alone', ['--force'], 2, '--force is for --remove'],
])('%s is refused', (_, args, exit, said) => {
  const { code, err } = node.run(['certificates', ...args]);
  expect(code).toBe(exit);
  expect(err).toContain(said);
});

test('one of the operating system is refused, and a file that is none is named', () => {
  makeOnlyNewGood();
  rmSync(`${node.root}${OLD}`);
  place(node.root, '/usr/lib/verity.d/old.crt', pem.old);
  const { code, err } = node.run(['certificates', '--remove', fingerprintOf('/usr/lib/verity.d/old.crt')]);
  expect(code).toBe(8);
  expect(err).toContain('/usr/lib/verity.d/old.crt: belongs to the operating system');
  place(node.root, '/etc/verity.d/wrong.crt', 'no certificate');
  expect(node.run(['certificates']).err).toContain('/etc/verity.d/wrong.crt: not a certificate');
});
