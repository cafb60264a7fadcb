import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readImage, writeImage } from '../../src/image/index.ts';
import type { Compression, ImageRequest, WrittenImage } from '../../src/image/types.ts';
import { superblockUuid } from '../../src/image/verity.ts';
import { openSigner } from '../../src/release/keys/signer.ts';
import { fileDigest } from '../../src/support/files.ts';
import { silent } from '../../src/support/progress.ts';
import { toolsRoot as root } from '../tools-root.ts';
import { erofsTool } from './erofs/tools.ts';
import { makeSigner } from './fixture.ts';

// The field's own tools from Debian trixie (make tools), entered by chroot with a folder of ours at /mnt.
const work = mkdtempSync(join(root, 'mnt', 'judge-'));
const inside = (path: string) => path.slice(root.length);
const context = { cache: work, progress: silent, signal: new AbortController().signal };

function tool(program: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync('chroot', [root, program, ...args], { encoding: 'utf8' });
  return { code: status, said: `${stdout}${stderr}` };
}

/** A tree with programs, text, links, a deep folder and odd modes. */
function makeTree(name: string, names: readonly string[]): string {
  const tree = join(work, name);
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  mkdirSync(join(tree, 'usr/lib/extension-release.d'), { recursive: true });
  for (const program of names) copyFileSync(`/usr/bin/${program}`, join(tree, 'usr/bin', program));
  writeFileSync(
    join(tree, 'usr/lib/extension-release.d/extension-release.provider-kairos'),
    'ID=_any\nARCHITECTURE=x86-64\nEXTENSION_RELOAD_MANAGER=1\n',
  );
  mkdirSync(join(tree, 'usr/share/deep/er/still'), { recursive: true });
  writeFileSync(join(tree, 'usr/share/deep/er/still/secret'), 'x'.repeat(100_000), { mode: 0o600 });
  symlinkSync('bash', join(tree, 'usr/bin/zz-link'));
  return tree;
}

const PROGRAMS = ['bash', 'openssl', 'perl', 'tar', 'gzip', 'sed'];
const signer = await openSigner(makeSigner(work, 'judge'));
const images = new Map<Compression, WrittenImage>();
let tree: string;

/** An image of a tree as all of them are made here, but for the changes. */
const write = (from: string, name: string, changes: Partial<ImageRequest> = {}) =>
  writeImage({
    tree: from,
    output: join(work, name),
    extensionName: 'provider-kairos',
    architecture: 'amd64',
    compression: 'lz4hc',
    clusterSize: 65536,
    seed: 'judge',
    timestamp: 315532800,
    mkfs: erofsTool('mkfs.erofs'),
    context,
    ...changes,
  });

beforeAll(async () => {
  tree = makeTree('tree', PROGRAMS);
  for (const compression of ['lz4hc', 'lz4', 'zstd', 'none'] as const)
    images.set(compression, await write(tree, `${compression}.raw`, { compression, signer }));
});

afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

const image = (compression: Compression = 'lz4hc') => images.get(compression) as WrittenImage;

describe.each(['lz4hc', 'lz4', 'zstd', 'none'] as const)('an image compressed with %s', (compression) => {
  test('is sound for sgdisk', () => {
    const { code, said } = tool('sgdisk', '-v', inside(image(compression).path));
    expect(said).toContain('No problems found');
    expect(code).toBe(0);
  });

  test('is sound for fsck.erofs, and gives back the tree bit for bit with owners and modes', () => {
    const extracted = join(work, `out-${compression}`);
    const { code, said } = tool(
      'fsck.erofs',
      '--offset=1048576',
      `--extract=${inside(extracted)}`,
      '--preserve',
      inside(image(compression).path),
    );
    expect(said).not.toMatch(/error|corrupt/i);
    expect(code).toBe(0);
    const listing = (folder: string) =>
      execFileSync(
        'sh',
        ['-c', 'find . -printf "%p %y %m %U:%G %l\\n" | sort; find . -type f -exec sha256sum {} + | sort'],
        { cwd: folder, encoding: 'utf8' },
      );
    expect(listing(extracted)).toBe(listing(tree));
  });

  test('has the hash tree that veritysetup makes with the same salt and UUID, bit for bit', () => {
    const { partitions, salt, rootHash, path } = image(compression);
    const [data, verity] = partitions;
    if (data === undefined || verity === undefined) throw new Error('no partitions');
    const bytes = readFileSync(path);
    writeFileSync(join(work, 'data'), bytes.subarray(data.offset, data.offset + data.size));
    const { code, said } = tool(
      'veritysetup',
      'format',
      inside(join(work, 'data')),
      inside(join(work, 'hash')),
      `--salt=${salt}`,
      `--uuid=${superblockUuid(Buffer.from(salt, 'hex'))}`,
    );
    expect(code).toBe(0);
    expect(said).toContain(rootHash);
    const made = readFileSync(join(work, 'hash'));
    expect(made.equals(bytes.subarray(verity.offset, verity.offset + made.length))).toBe(true);
    expect(made.length).toBe(verity.size);
    rmSync(join(work, 'hash'));
  });

  test('satisfies the policy of Kairos for systemd-dissect', () => {
    const { code, said } = tool(
      'systemd-dissect',
      '--validate',
      '--image-policy=root=verity+signed+absent:usr=verity+signed+absent',
      inside(image(compression).path),
    );
    expect(said).not.toContain('refused');
    expect(code).toBe(0);
  });
});

test('veritysetup verify passes, and fails after one flipped bit in the data or the tree', async () => {
  const { path, partitions, rootHash } = image('none');
  const [data, verity] = partitions;
  if (data === undefined || verity === undefined) throw new Error('no partitions');
  const bytes = readFileSync(path);
  const [dataFile, hashFile] = [join(work, 'v-data'), join(work, 'v-hash')];
  const verify = (dataBytes: Buffer, hashBytes: Buffer) => {
    writeFileSync(dataFile, dataBytes);
    writeFileSync(hashFile, hashBytes);
    return tool('veritysetup', 'verify', inside(dataFile), inside(hashFile), rootHash).code;
  };
  const dataBytes = bytes.subarray(data.offset, data.offset + data.size);
  const hashBytes = bytes.subarray(verity.offset, verity.offset + verity.size);
  expect(verify(dataBytes, hashBytes)).toBe(0);
  for (const part of [0, 0.1, 0.5, 0.99]) {
    const flippedData = Buffer.from(dataBytes);
    flippedData[Math.floor(part * data.size)] = (flippedData[Math.floor(part * data.size)] ?? 0) ^ 4;
    expect(verify(flippedData, hashBytes)).not.toBe(0);
    const at = 4096 + Math.floor(part * (verity.size - 4096 - 4096));
    const flippedTree = Buffer.from(hashBytes);
    flippedTree[at] = (flippedTree[at] ?? 0) ^ 1;
    expect(verify(dataBytes, flippedTree)).not.toBe(0);
  }
});

test('systemd-dissect refuses an unsigned image where a signature is asked for', async () => {
  const { path: unsigned } = await write(tree, 'unsigned.raw');
  const kairos = '--image-policy=root=verity+absent:usr=verity+absent';
  expect(tool('systemd-dissect', '--validate', kairos, inside(unsigned)).code).toBe(0);
  expect(tool('systemd-dissect', '--validate', '--image-policy=root=signed', inside(unsigned)).code).not.toBe(
    0,
  );
  expect(tool('systemd-dissect', '--validate', '--image-policy=root=signed', inside(image().path)).code).toBe(
    0,
  );
});

test('the order in which files came to be, umask, time zone and locale do not change a byte', async () => {
  const other = makeTree('tree-again', [...PROGRAMS].reverse());
  const before = process.umask(0o077);
  process.env.TZ = 'Asia/Kathmandu';
  const again = await write(other, 'again.raw', { signer }).finally(() => process.umask(before));
  expect((await fileDigest(again.path)).sha256).toBe((await fileDigest(image().path)).sha256);
  expect((await readImage(again.path)).rootHash).toBe(image().rootHash);
});

test('a tool that fails leaves nothing behind', async () => {
  const output = join(work, 'failed.raw');
  await expect(write(join(work, 'no-such-tree'), 'failed.raw', { timestamp: 0 })).rejects.toMatchObject({
    code: 'tool',
  });
  expect(existsSync(output)).toBe(false);
  expect(execFileSync('ls', ['-A', work], { encoding: 'utf8' })).not.toContain('.tmp');
});
