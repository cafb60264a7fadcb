import { createHash } from 'node:crypto';
import { cp, lstat, mkdir, mkdtemp, open, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openErofs } from '../../../src/image/erofs/index.ts';
import { fileDigest } from '../../../src/support/files.ts';
import { run } from '../../../src/support/subprocess.ts';
import { erofsTool } from './tools.ts';

/** `kind mode size digest target` by path; a folder's size is the file system's affair. */
type Tree = Map<string, string>;

const MEBIBYTE = 1024 * 1024;
let folder: string;
let tree: string;
let expected: Tree;

const describeEntry = (kind: string, mode: number, size: number, content: string) =>
  `${kind} ${mode.toString(8)} ${kind === 'folder' ? '' : size} ${content}`;

async function folderTree(root: string, path = '/', into: Tree = new Map()): Promise<Tree> {
  const here = join(root, path);
  const { mode, size } = await lstat(here);
  const kind = (mode & 0o170000) === 0o120000 ? 'link' : (mode & 0o170000) === 0o040000 ? 'folder' : 'file';
  const content =
    kind === 'link' ? await readlink(here) : kind === 'file' ? (await fileDigest(here)).sha256 : '';
  into.set(path, describeEntry(kind, mode & 0o7777, size, content));
  if (kind === 'folder')
    for (const name of await readdir(here)) await folderTree(root, join(path, name), into);
  return into;
}

/** Copies what is below `from` (files and links) until `bytes` are there. */
async function take(from: string, bytes: number): Promise<void> {
  let left = bytes;
  const visit = async (path: string): Promise<void> => {
    for (const entry of (await readdir(path, { withFileTypes: true })).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (left <= 0) return;
      const source = join(path, entry.name);
      if (entry.isDirectory()) await visit(source);
      if (!entry.isFile() && !entry.isSymbolicLink()) continue;
      const { size } = await lstat(source);
      if (size > 12 * MEBIBYTE) continue;
      await mkdir(dirname(join(tree, source)), { recursive: true });
      await cp(source, join(tree, source), { verbatimSymlinks: true });
      left -= size;
    }
  };
  await visit(from);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-erofs-'));
  tree = join(folder, 'tree');
  await mkdir(tree);
  await take('/usr/bin', 25 * MEBIBYTE);
  await take('/usr/lib', 15 * MEBIBYTE);
  await take('/usr/share', 8 * MEBIBYTE);
  expected = await folderTree(tree);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each([
  ['none', []],
  ['lz4hc', ['-zlz4hc']],
  ['lz4hc,12 -C65536', ['-zlz4hc,12', '-C65536']],
  ['lz4hc,12 -C1048576', ['-zlz4hc,12', '-C1048576']],
  ['zstd', ['-zzstd']],
  ['zstd -C65536', ['-zzstd', '-C65536']],
  ['fragments and all', ['-zlz4hc', '-C65536', '-Eztailpacking,fragments,dedupe']],
])('an image of real programs and texts, %s', (_, options) => {
  it('is read as the tree it was made from, and as fsck.erofs extracts it', async () => {
    const image = join(folder, 'image');
    const extracted = join(folder, 'extracted');
    const [mkfs, ...mkfsArguments] = erofsTool('mkfs.erofs');
    await run(mkfs, [...mkfsArguments, '--quiet', '--all-root', '-T1700000000', ...options, image, tree]);
    const [fsck, ...fsckArguments] = erofsTool('fsck.erofs');
    await run(fsck, [...fsckArguments, `--extract=${extracted}`, '--preserve-perms', image]);

    const file = await open(image);
    try {
      const { size } = await file.stat();
      const erofs = await openErofs(async (offset, length) => {
        const bytes = Buffer.allocUnsafe(length);
        return bytes.subarray(0, (await file.read(bytes, 0, length, offset)).bytesRead);
      }, size);
      const actual: Tree = new Map();
      for await (const entry of erofs.list()) {
        const hash = createHash('sha256');
        if (entry.kind === 'file') for await (const piece of erofs.stream(entry.path)) hash.update(piece);
        const content = entry.kind === 'file' ? hash.digest('hex') : (entry.target ?? '');
        actual.set(entry.path, describeEntry(entry.kind, entry.mode, entry.size, content));
        expect([entry.uid, entry.gid, entry.mtime]).toEqual([0, 0, 1700000000]);
      }
      expect(actual.size).toBeGreaterThan(100);
      expect(actual).toEqual(expected);
      expect(actual).toEqual(await folderTree(extracted));
    } finally {
      await file.close();
      await rm(image, { force: true });
      await rm(extracted, { recursive: true, force: true });
    }
  });
});
