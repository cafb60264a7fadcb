import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readImage, verifyImage, writeImage } from '../../src/image/index.ts';
import { canInsertBefore } from '../../src/image/insert.ts';
import { ROOT_OFFSET } from '../../src/image/layout.ts';
import { readCertificate, signaturePartition } from '../../src/image/signature.ts';
import { openSigner } from '../../src/release/keys/signer.ts';
import { silent } from '../../src/support/progress.ts';
import { inToolsRoot, toolsRoot as root } from '../tools-root.ts';
import { erofsTool } from './erofs/tools.ts';
import { makeSigner, type SigningFiles } from './fixture.ts';

// The same work done by systemd-repart (make tools), and a disk that fills up. Mounts are made in namespaces of their own: as root.
const work = mkdtempSync(join(root, 'mnt', 'peers-'));
const inside = (path: string) => path.slice(root.length);
const tree = join(work, 'tree');
const context = { cache: work, progress: silent, signal: new AbortController().signal };
let signing: SigningFiles;

beforeAll(() => {
  signing = makeSigner(work, 'release');
  mkdirSync(join(tree, 'usr/lib/extension-release.d'), { recursive: true });
  writeFileSync(join(tree, 'usr/lib/extension-release.d/extension-release.peer'), 'ID=_any\n');
  writeFileSync(join(tree, 'usr/lib/program'), readFileSync('/bin/sh'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

function repart(output: string): void {
  const [command, args] = inToolsRoot('systemd-repart', [
    '--offline=yes',
    '--make-ddi=sysext',
    `--copy-source=${inside(tree)}`,
    `--private-key=${inside(signing.key)}`,
    `--certificate=${inside(signing.certificate)}`,
    inside(output),
  ]);
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`systemd-repart ended with ${status}: ${stderr}`);
}

test('systemd-repart’s own image is read, and its signature partition is ours byte for byte', async () => {
  const output = join(work, 'repart.raw');
  repart(output);
  const { rootHash, partitions, signature } = await readImage(output);
  expect(partitions.map(({ designator }) => designator)).toEqual(['root', 'root-verity', 'root-verity-sig']);
  expect(signature?.subject).toBe('CN=release');
  const { offset, size } = partitions[2] as { offset: number; size: number };
  const theirs = readFileSync(output).subarray(offset, offset + size);
  const ours = await signaturePartition(rootHash, await openSigner(signing));
  expect(ours.equals(theirs)).toBe(true);
});

test('openssl cms verifies the signature with its certificate, and refuses it with another', async () => {
  const output = join(work, 'ours.raw');
  const { rootHash, partitions } = await writeImage({
    tree,
    output,
    extensionName: 'peer',
    architecture: 'amd64',
    compression: 'lz4hc',
    clusterSize: 65536,
    seed: 'peers',
    timestamp: 0,
    mkfs: erofsTool('mkfs.erofs'),
    signer: await openSigner(signing),
    context,
  });
  const bytes = readFileSync(output).subarray(partitions[2]?.offset);
  const { signature } = JSON.parse(bytes.toString('latin1', 0, bytes.indexOf(0))) as { signature: string };
  const [der, content] = [join(work, 'signature.der'), join(work, 'root-hash')];
  writeFileSync(der, Buffer.from(signature, 'base64'));
  // As systemd verifies: the given certificate alone may have signed, its dates and issuer do not matter.
  const cms = (certificate: string, said: string) => {
    writeFileSync(content, said);
    const files = ['-in', der, '-content', content, '-certfile', certificate].map((word) =>
      word.startsWith('/') ? inside(word) : word,
    );
    const flags = ['-verify', '-binary', '-inform', 'DER', '-nointern', '-noverify'];
    return spawnSync('chroot', [root, 'openssl', 'cms', ...flags, ...files]).status;
  };
  expect(cms(signing.certificate, rootHash)).toBe(0);
  expect(cms(makeSigner(work, 'other').certificate, rootHash)).not.toBe(0);
  expect(
    cms(
      signing.certificate,
      rootHash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    ),
  ).not.toBe(0);
  await expect(
    verifyImage(output, { certificates: [await readCertificate(signing.certificate)] }),
  ).resolves.toBeDefined();
});

const request = (from: string, output: string) => ({
  tree: from,
  output,
  extensionName: 'x',
  architecture: 'amd64' as const,
  compression: 'none' as const,
  clusterSize: 65536,
  seed: 'seed',
  timestamp: 0,
  mkfs: erofsTool('mkfs.erofs'),
  context,
});

// 1 MB is full while mkfs.erofs writes, 3 MB while the image is put together.
test.each([1, 3])(
  'a disk of %i MB that fills up is one error, and nothing is left on it',
  async (megabytes) => {
    const disk = join(work, `disk-${megabytes}`);
    const big = join(work, 'big');
    mkdirSync(disk);
    mkdirSync(big, { recursive: true });
    writeFileSync(join(big, 'content'), Buffer.alloc(2_500_000, 'content'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'sextant-test', disk]);
    try {
      await expect(writeImage(request(big, join(disk, 'x.raw')))).rejects.toMatchObject({
        code: 'filesystem',
        message: expect.stringContaining('no space left'),
      });
      expect(readdirSync(disk)).toEqual([]);
    } finally {
      execFileSync('umount', [disk]);
    }
  },
);

test('a file system that moves what is there without copying it, and one that cannot, get the same image', async () => {
  const images: Buffer[] = [];
  const file = join(work, 'ext4');
  const disks = {
    ext4: ['-o', 'loop', file],
    tmpfs: ['-t', 'tmpfs', 'sextant-test'],
  };
  writeFileSync(file, '');
  truncateSync(file, 64 * 1024 * 1024);
  execFileSync('mkfs.ext4', ['-q', file]);
  for (const [name, mount] of Object.entries(disks)) {
    const disk = join(work, `on-${name}`);
    mkdirSync(disk);
    execFileSync('mount', [...mount, disk]);
    try {
      expect(await canInsertBefore(disk, ROOT_OFFSET, context.signal)).toBe(name === 'ext4');
      const output = join(disk, 'images', 'x.raw');
      const { size } = await writeImage(request(tree, output));
      expect(readdirSync(join(disk, 'images'))).toEqual(['x.raw']);
      expect(statSync(output).blocks * 512).toBeLessThan(size - 512 * 1024);
      await expect(verifyImage(output)).resolves.toBeDefined();
      images.push(readFileSync(output));
    } finally {
      execFileSync('umount', [disk]);
    }
  }
  expect(images[0]?.equals(images[1] as Buffer)).toBe(true);
});
