import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { verifyImage, writeImage } from '../../src/image/index.ts';
import { readCertificate } from '../../src/image/signature.ts';
import type { ImageRequest } from '../../src/image/types.ts';
import { openSigner } from '../../src/release/keys/signer.ts';
import { silent } from '../../src/support/progress.ts';
import { dataBlocks, makeSigner, type SigningFiles } from './fixture.ts';

const work = mkdtempSync(join(tmpdir(), 'sextant-write-'));
const tree = join(work, 'tree');
const data = dataBlocks(700);
let a: SigningFiles;

beforeAll(() => {
  mkdirSync(tree);
  writeFileSync(join(work, 'content'), data);
  a = makeSigner(work, 'a');
});
afterAll(() => rmSync(work, { recursive: true, force: true }));
afterEach(() => void vi.unstubAllEnvs());

/** A program that stands where mkfs.erofs would: `script` with IMAGE and TREE, the last two arguments. */
const tool = (script: string) => [
  process.execPath,
  '-e',
  `const fs = require('node:fs'); const [IMAGE, TREE] = process.argv.slice(-2); ${script}`,
  '--',
];
const copies = () => tool(`fs.copyFileSync(${JSON.stringify(join(work, 'content'))}, IMAGE)`);

/** A request whose output is alone in a folder of its own, so that everything left behind shows. */
function request(name: string, over: Partial<ImageRequest> = {}): ImageRequest & { folder: string } {
  const folder = join(work, name);
  return {
    folder,
    tree,
    output: join(folder, 'x.sysext.raw'),
    extensionName: 'x',
    architecture: 'arm64',
    compression: 'none',
    clusterSize: 65536,
    seed: 'seed',
    timestamp: 0,
    mkfs: copies(),
    context: { cache: work, progress: silent, signal: new AbortController().signal },
    ...over,
  };
}

test('an image is written whole, alone, readable by everyone', async () => {
  const { folder, ...asked } = request('whole', { signer: await openSigner(a) });
  const before = process.umask(0o077);
  const written = await writeImage(asked).finally(() => process.umask(before));
  expect(readdirSync(folder)).toEqual(['x.sysext.raw']);
  const bytes = readFileSync(asked.output);
  expect(written.size).toBe(bytes.length);
  expect(bytes.subarray(1024 * 1024, 1024 * 1024 + data.length).equals(data)).toBe(true);
  expect(statSync(asked.output).mode & 0o777).toBe(0o644);
  expect(written.partitions.map(({ designator }) => designator)).toEqual([
    'root',
    'root-verity',
    'root-verity-sig',
  ]);
  expect(written.signature).toMatchObject({ subject: 'CN=a' });
  const { path: _path, ...info } = written;
  expect(
    (await verifyImage(asked.output, { certificates: [await readCertificate(a.certificate)] })).info,
  ).toEqual(info);
});

test('padding takes no space on the disk', async () => {
  const { folder: _, ...asked } = request('holes');
  const { size } = await writeImage(asked);
  expect(statSync(asked.output).blocks * 512).toBeLessThan(size - 512 * 1024);
});

/** PATH with a fallocate(1) that is this script. */
function withFallocate(name: string, script: string): string {
  const bin = join(work, name);
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'fallocate'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `${bin}:${process.env.PATH}`;
}

test('a disk that cannot move what is there is written by copying', async () => {
  const { folder: _, ...asked } = request('copied');
  const own = await writeImage(asked);
  const bytes = readFileSync(asked.output);
  vi.stubEnv('PATH', withFallocate('cannot', 'echo "fallocate: Operation not supported" >&2; exit 1'));
  await expect(writeImage(asked)).resolves.toEqual(own);
  expect(readFileSync(asked.output).equals(bytes)).toBe(true);
});

test('a disk that is full when the content is moved is one error that names the image, and nothing is left', async () => {
  const { folder, ...asked } = request('moved-full');
  const full =
    'case "$*" in *probe) exit 0 ;; esac; echo "fallocate failed: No space left on device" >&2; exit 1';
  vi.stubEnv('PATH', withFallocate('full', full));
  await expect(writeImage(asked)).rejects.toMatchObject({
    code: 'filesystem',
    message: expect.stringContaining(`${asked.output}: no space left`),
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('an image that was there is replaced by the whole new one', async () => {
  const { folder, ...asked } = request('again');
  mkdirSync(folder);
  writeFileSync(asked.output, 'old');
  await writeImage(asked);
  await expect(verifyImage(asked.output)).resolves.toBeDefined();
  expect(readdirSync(folder)).toEqual(['x.sysext.raw']);
});

const fails: [string, Partial<ImageRequest>, object][] = [
  [
    'is missing',
    { mkfs: ['/no/such/mkfs.erofs'] },
    { code: 'tool', message: expect.stringContaining('not found') },
  ],
  [
    'fails',
    { mkfs: tool('process.exit(3)') },
    { code: 'tool', message: expect.stringContaining('exit code 3') },
  ],
  [
    'fills the disk',
    {
      mkfs: tool(
        `fs.writeFileSync(IMAGE, 'half'); console.error('<E> write: No space left on device'); process.exit(1)`,
      ),
    },
    { code: 'filesystem', message: expect.stringContaining('no space left'), hint: expect.any(String) },
  ],
  ['writes nothing', { mkfs: tool(`fs.writeFileSync(IMAGE, '')`) }, { code: 'tool' }],
  ['writes half a block', { mkfs: tool(`fs.writeFileSync(IMAGE, 'x'.repeat(10000))`) }, { code: 'tool' }],
];
test.each(fails)('mkfs.erofs that %s is one error and leaves nothing', async (name, over, error) => {
  const { folder, ...asked } = request(`fails-${name}`, over);
  mkdirSync(folder);
  writeFileSync(asked.output, 'old');
  await expect(writeImage(asked)).rejects.toMatchObject(error);
  expect(readdirSync(folder)).toEqual(['x.sysext.raw']);
  expect(readFileSync(asked.output, 'utf8')).toBe('old');
});

test.each(['file system', 'hash tree', 'image'])(
  'interrupted at the step "%s" nothing is left',
  async (at) => {
    const abort = new AbortController();
    const { folder, ...asked } = request(`interrupted-${at}`, {
      ...(at === 'file system' ? { mkfs: tool('setTimeout(() => {}, 60_000)') } : {}),
      context: {
        cache: work,
        signal: abort.signal,
        progress: {
          ...silent,
          step(name) {
            // Once the step is under way.
            if (name.startsWith(at)) setTimeout(() => abort.abort(), at === 'file system' ? 100 : 0);
            return silent.step(name);
          },
        },
      },
    });
    await expect(writeImage(asked)).rejects.toSatisfy(
      (error: { code?: string; name?: string }) =>
        error.code === 'interrupted' || error.name === 'AbortError',
    );
    expect(readdirSync(folder)).toEqual([]);
  },
);

test('an output that cannot be there is an error that names it, before mkfs.erofs is started', async () => {
  const { folder: _, ...asked } = request('nowhere', {
    output: join(work, 'content', 'x.raw'),
    mkfs: tool('process.exit(9)'),
  });
  const error = await writeImage(asked).catch((thrown: NodeJS.ErrnoException) => thrown);
  expect(error).toMatchObject({ path: join(work, 'content') });
});
