import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readImage } from '../../../src/image/index.ts';
import { lockText } from '../../../src/lock/lock.ts';
import type { Lock } from '../../../src/lock/types.ts';
import { createKey, type KeyFiles } from '../../../src/release/keys/create.ts';
import { describeKey } from '../../../src/release/keys/show.ts';
import { openSigner } from '../../../src/release/keys/signer.ts';
import { lockDigest } from '../../../src/release/provenance/statement.ts';
import { sealRelease, signedFields, writeCertificates } from '../../../src/release/seal.ts';
import type { Release } from '../../../src/release/types.ts';
import { verifyRelease } from '../../../src/release/verification/release.ts';
import { fileDigest } from '../../../src/support/files.ts';
import { silent } from '../../../src/support/progress.ts';
import { dataBlocks, seal } from '../../image/fixture.ts';

// A release around bytes that stand where a file system would; what is in an image is checked on a real one in test/e2e.

const work = mkdtempSync(join(tmpdir(), 'sextant-verify-'));
const context = { cache: work, progress: silent, signal: new AbortController().signal };
const blob = (url: string, digit: string) => ({ url, size: 1, sha256: digit.repeat(64) });
const LOCK: Lock = {
  lockVersion: 1,
  recipe: '0'.repeat(64),
  distribution: { name: 'k3s', version: 'v1.36.3+k3s1' },
  tools: {
    erofs: {
      amd64: { suite: 'trixie', packages: ['erofs-utils'], inputs: [blob('http://a.test/e.deb', '1')] },
    },
    qemu: {},
    hookRoot: { amd64: { suite: 'trixie', packages: ['dash'], inputs: [blob('http://a.test/d.deb', '2')] } },
  },
  architectures: {
    amd64: {
      components: [
        {
          name: 'edgevpn',
          type: 'url',
          version: '1',
          inputs: [{ ...blob('https://e.test/edgevpn', '3'), checkedAgainst: 'https://e.test/sums' }],
        },
      ],
      hookDownloads: [blob('https://get.k3s.io/', '4')],
    },
  },
};
let own: KeyFiles;
let other: KeyFiles;
const built = {
  signed: join(work, 'signed'),
  unsigned: join(work, 'unsigned'),
  foreign: join(work, 'foreign'),
};
let dist: string;

async function release(folder: string, key: KeyFiles | undefined, text: string): Promise<void> {
  const { mkdirSync } = await import('node:fs');
  mkdirSync(folder);
  const file = 'x-amd64.sysext.raw';
  const signing = key === undefined ? undefined : { signer: await openSigner(key), alsoTrust: [] };
  await seal(join(folder, file), dataBlocks(9), context, key);
  const { sha256 } = await fileDigest(join(folder, file));
  const { rootHash, size, signature, partitions } = await readImage(join(folder, file));
  const made: Release = {
    schemaVersion: 1,
    name: 'x',
    version: 'v1.36.3+k3s1',
    distribution: 'k3s',
    standin: true,
    url: 'http://127.0.0.1:8080',
    inputs: {
      sextant: '1',
      recipe: '5'.repeat(64),
      lock: lockDigest(LOCK),
      build: '6'.repeat(64),
      erofs: '1.8',
    },
    images: [
      {
        architecture: 'amd64',
        file,
        size,
        sha256,
        rootHash,
        rootHashFile: 'x-amd64.sysext.roothash',
        sbom: 'x.spdx.json',
        compression: 'none',
        partitions,
        ...(signature === undefined ? {} : { signature }),
        components: [],
        warnings: [],
      },
    ],
    activation: 'activation.yaml',
    ...signedFields('x', signing),
  };
  await writeCertificates(folder, made, signing);
  writeFileSync(join(folder, 'x-amd64.sysext.roothash'), `${rootHash}\n`);
  writeFileSync(join(folder, 'activation.yaml'), text);
  writeFileSync(join(folder, 'release.json'), JSON.stringify(made));
  await sealRelease({ folder, release: made, lock: LOCK, host: 'amd64', signing });
}

beforeAll(async () => {
  const key = (name: string) =>
    createKey({ name: join(work, name), commonName: name, bits: 2048, days: 30, encrypt: false });
  [own, other] = [await key('own'), await key('other')];
  await release(built.signed, own, '#cloud-config\n');
  await release(built.unsigned, undefined, '#cloud-config\n');
  await release(built.foreign, other, '#cloud-config\n# of another release\n');
  writeFileSync(join(work, 'x.lock.json'), lockText(LOCK));
  writeFileSync(
    join(work, 'y.lock.json'),
    lockText({ ...LOCK, distribution: { name: 'k3s', version: 'v1.36.4+k3s1' } }),
  );
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const lay = (from: string) => {
  rmSync(dist, { recursive: true, force: true });
  cpSync(from, dist, { recursive: true });
};
beforeEach(() => {
  dist = join(work, 'dist');
  lay(built.signed);
});
const at = (name: string) => join(dist, name);
const take = (name: string, from: string) => cpSync(join(from, name), at(name));
const verify = (options: Parameters<typeof verifyRelease>[1] = { certificates: [own.certificate] }) =>
  verifyRelease(dist, options, context);

test('a signed release is what its key, its checksums, its provenance and its lock say', async () => {
  const { checks, warnings } = await verify({
    certificates: [other.certificate, own.certificate],
    lock: join(work, 'x.lock.json'),
  });
  expect(warnings).toEqual([]);
  expect(checks.map((check) => check.replace(/[0-9a-f]{64}/, 'FINGERPRINT').replaceAll(work, ''))).toEqual([
    'SHA256SUMS is signed by CN=own (FINGERPRINT)',
    '7 files are as SHA256SUMS says',
    'x-amd64.sysext.raw: every byte is as it was written, and its root hash is signed',
    '/dist/provenance.intoto.jsonl is about these 6 files, and signed',
    'it was made from /x.lock.json: all 4 inputs',
  ]);
});

test('without a certificate given, the release’s own proves no origin, and that is said', async () => {
  const { checks, warnings } = await verify({});
  expect(checks[0]).toContain("the release's own certificate CN=own");
  expect(warnings).toEqual(['the certificate came with the release: give --cert to say whose it must be']);
});

test('a clock that is wrong is told, and is a failure where dates are required', async () => {
  const now = new Date('2001-01-01T00:00:00Z');
  const certificates = [own.certificate];
  expect((await verify({ certificates, now })).warnings).toEqual([
    expect.stringMatching(
      /^its certificate is valid from 20.*Z on, the clock here says 2001-01-01T00:00:00\.000Z: is it right\?/,
    ),
  ]);
  await expect(verify({ certificates, now, requireValidDates: true })).rejects.toMatchObject({
    code: 'verification',
    hint: expect.stringContaining('set the clock'),
  });
});

test('an unsigned release is checked as far as it goes', async () => {
  lay(built.unsigned);
  const { checks, warnings } = await verify({ lock: join(work, 'x.lock.json') });
  expect(warnings).toEqual([]);
  expect(checks.some((check) => check.includes('signed'))).toBe(false);
  expect(checks.at(-1)).toContain('all 4 inputs');
});

test('a file that nothing vouches for is named', async () => {
  writeFileSync(at('readme.txt'), 'hello');
  expect((await verify()).warnings).toEqual([
    'readme.txt is no part of the release: SHA256SUMS does not list it',
  ]);
});

/** SHA256SUMS written anew, as one would who has no key. */
async function sumsAnew(): Promise<void> {
  const { readdirSync } = await import('node:fs');
  const { checksumsText } = await import('../../../src/release/checksums.ts');
  const { sha256 } = await import('../../../src/support/files.ts');
  const names = readdirSync(dist).filter((name) => !name.startsWith('SHA256SUMS'));
  const sums = Object.fromEntries(names.map((name) => [name, sha256(readFileSync(at(name)))]));
  writeFileSync(at('SHA256SUMS'), checksumsText(sums));
}

test.each([
  [
    'signed by another key',
    () => lay(built.foreign),
    /SHA256SUMS\.sig: SHA256SUMS was changed .* or signed by another key than [0-9a-f]{64}$/,
  ],
  ['not signed', () => lay(built.unsigned), /dist: is not signed, --cert demands it$/],
  [
    'without its signature',
    () => rmSync(at('SHA256SUMS.sig')),
    /SHA256SUMS\.sig: is missing: SHA256SUMS is not signed$/,
  ],
  [
    'with half its signature',
    () => truncateSync(at('SHA256SUMS.sig'), 100),
    /SHA256SUMS\.sig: has 100 bytes where a signature by this key has 256/,
  ],
  [
    'with a changed file',
    () => writeFileSync(at('activation.yaml'), 'x'),
    /activation\.yaml: SHA-256 is [0-9a-f]{64}, SHA256SUMS says/,
  ],
  [
    'without a file',
    () => rmSync(at('activation.yaml')),
    /activation\.yaml: is missing, SHA256SUMS lists it$/,
  ],
  [
    'with a changed file and checksums that fit it',
    async () => {
      writeFileSync(at('activation.yaml'), 'x');
      await sumsAnew();
    },
    /SHA256SUMS\.sig: SHA256SUMS was changed after it was signed/,
  ],
])('a release %s is refused in one line', async (_, change, said) => {
  await change();
  await expect(verify()).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringMatching(said),
  });
});

test.each([
  [
    'of another release',
    () => take('provenance.intoto.jsonl', built.foreign),
    /provenance\.intoto\.jsonl: is not signed by the certificate/,
  ],
  [
    'that is cut off',
    () => truncateSync(at('provenance.intoto.jsonl'), 500),
    /provenance\.intoto\.jsonl: is cut off, or not a signed statement/,
  ],
  ['that is missing', () => rmSync(at('provenance.intoto.jsonl')), /provenance\.intoto\.jsonl: is missing/],
])('provenance %s is refused, even where checksums fit it', async (_, change, said) => {
  // As the owner of the key would sign by mistake: the checksums are right, what they are of is wrong.
  await change();
  const file = at('provenance.intoto.jsonl');
  const { existsSync } = await import('node:fs');
  if (existsSync(file)) {
    await sumsAnew();
    writeFileSync(at('SHA256SUMS.sig'), await (await openSigner(own)).sign(readFileSync(at('SHA256SUMS'))));
  }
  await expect(verify()).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringMatching(said),
  });
});

test('a statement about other files is told by the file', async () => {
  lay(built.unsigned);
  writeFileSync(at('activation.yaml'), '#cloud-config\n# another\n');
  await sumsAnew();
  await expect(verify({})).rejects.toMatchObject({
    message: expect.stringMatching(
      /provenance\.intoto\.json: is about another activation\.yaml: SHA-256 [0-9a-f]{64}, not/,
    ),
  });
  renameSync(at('activation.yaml'), at('activation.yml'));
  await sumsAnew();
  await expect(verify({})).rejects.toMatchObject({
    message: expect.stringContaining(
      'provenance.intoto.json: says nothing of activation.yml: it is about another release',
    ),
  });
  rmSync(at('activation.yml'));
  await sumsAnew();
  await expect(verify({})).rejects.toMatchObject({
    message: expect.stringContaining(
      'provenance.intoto.json: is about activation.yaml, which the release does not have',
    ),
  });
});

test('another lock is told, and one input more or less', async () => {
  lay(built.unsigned);
  await expect(verify({ lock: join(work, 'y.lock.json') })).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringMatching(
      /was made from another lock: [0-9a-f]{64}, .*y\.lock\.json is [0-9a-f]{64}$/,
    ),
  });
  await expect(verify({ lock: join(work, 'no.lock.json') })).rejects.toMatchObject({ code: 'input' });
  const said = readFileSync(at('provenance.intoto.json'), 'utf8');
  for (const [from, to, why] of [
    ['https://get.k3s.io/', 'https://get.k3s.io/x', 'leaves out https://get.k3s.io/, which'],
    [
      '"resolvedDependencies": [',
      `"resolvedDependencies": [{"uri":"http://more","digest":{"sha256":"${'9'.repeat(64)}"}},`,
      'names an input that',
    ],
  ] as const) {
    writeFileSync(at('provenance.intoto.json'), said.replace(from, to));
    await sumsAnew();
    await expect(verify({ lock: join(work, 'x.lock.json') })).rejects.toMatchObject({
      message: expect.stringContaining(why),
    });
  }
});

test('what a key signed in a release is shown, and what another did', async () => {
  const by = async (key: KeyFiles) =>
    (await describeKey(key.certificate, { release: dist })).signed?.map(({ file, by }) => `${file} ${by}`);
  expect(await by(own)).toEqual([
    'x-amd64.sysext.raw this',
    'SHA256SUMS this',
    'provenance.intoto.jsonl this',
  ]);
  expect(await by(other)).toEqual([
    'x-amd64.sysext.raw another',
    'SHA256SUMS another',
    'provenance.intoto.jsonl another',
  ]);
  lay(built.unsigned);
  expect(await by(own)).toEqual([
    'x-amd64.sysext.raw nobody',
    'SHA256SUMS nobody',
    'provenance.intoto.json nobody',
  ]);
});

test('the statement holds no time unless SOURCE_DATE_EPOCH gives one', () => {
  const text = readFileSync(join(built.unsigned, 'provenance.intoto.json'), 'utf8');
  expect(text).not.toMatch(/\d{4}-\d\d-\d\dT/);
  expect(JSON.parse(text).predicate.runDetails.metadata).toEqual({ invocationId: '6'.repeat(64) });
});
