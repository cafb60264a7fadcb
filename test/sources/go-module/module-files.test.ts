import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyFolder, folderDigest } from '../../../src/sources/go-module/folders.ts';
import {
  assembleProxy,
  listModuleFiles,
  moduleAddress,
  parseModuleAddress,
  proxyPath,
} from '../../../src/sources/go-module/module-files.ts';
import { withFolder } from '../context.ts';

const modulePath = fc.stringMatching(
  /^[a-z][a-z0-9-]{0,8}\.[a-z]{2,3}(\/[A-Za-z0-9][A-Za-z0-9._~-]{0,8}){0,3}$/,
);
const moduleVersion = fc.stringMatching(/^v[0-9]\.[0-9]\.[0-9](-[A-Za-z0-9.]{1,9})?(\+incompatible)?$/);
const moduleFile = fc.record({
  path: modulePath,
  version: moduleVersion,
  kind: fc.constantFrom('zip' as const, 'mod' as const),
});

describe('the address of a Go module file', () => {
  it('says which file it is', () => {
    fc.assert(
      fc.property(moduleFile, (file) => {
        expect(parseModuleAddress(moduleAddress(file))).toEqual(file);
      }),
    );
  });
  it.each([
    'https://example.org/a@v1.zip',
    'go:a@v1.info',
    'go:../a@v1.zip',
    'go:/a@v1.zip',
    'go:a//b@v1.zip',
    'go:a@../../v1.zip',
    'go:a@.zip',
  ])('is not %s', (url) => {
    expect(parseModuleAddress(url)).toBeUndefined();
  });
  it('has no upper case letters in a proxy', () => {
    const file = { path: 'github.com/Azure/SDK', version: 'v1.0.0-RC1', kind: 'mod' } as const;
    expect(proxyPath(file)).toBe('github.com/!azure/!s!d!k/@v/v1.0.0-!r!c1.mod');
  });
});

describe("a proxy's folder", () => {
  it('serves the stored files under the names that it lists them by', async () => {
    await withFolder(async (folder) => {
      const stored = join(folder, 'stored');
      await writeFile(stored, 'bytes');
      const files = (['zip', 'mod'] as const).map((kind) => ({ path: 'ex.org/A', version: 'v1.0.0', kind }));
      const proxy = join(folder, 'proxy');
      const blobs = files.map((file) => ({
        blob: { url: moduleAddress(file), size: 5, sha256: '' },
        stored,
      }));
      await assembleProxy(proxy, blobs);
      await assembleProxy(proxy, blobs);
      expect(await listModuleFiles(proxy)).toEqual([files[1], files[0]]);
      expect((await stat(join(proxy, 'ex.org/!a/@v/v1.0.0.zip'))).ino).toBe((await stat(stored)).ino);
      expect(await readFile(join(proxy, 'ex.org/!a/@v/v1.0.0.info'), 'utf8')).toBe('{"Version":"v1.0.0"}');
    });
  });
});

describe('a folder that enters a build', () => {
  const make = async (folder: string) => {
    await mkdir(join(folder, 'sub/.git'), { recursive: true });
    await writeFile(join(folder, 'a'), '1', { mode: 0o444 });
    await writeFile(join(folder, 'sub/b'), '2', { mode: 0o755 });
    await writeFile(join(folder, 'sub/.git/HEAD'), 'x');
    await symlink('a', join(folder, 'link'));
  };
  it('is copied with the same digest, writable and without version control', async () => {
    await withFolder(async (folder) => {
      const [from, to] = [join(folder, 'from'), join(folder, 'to')];
      await make(from);
      await copyFolder(from, to);
      expect(await folderDigest(to)).toBe(await folderDigest(from));
      await writeFile(join(to, 'a'), 'again');
      await expect(stat(join(to, 'sub/.git'))).rejects.toThrow('ENOENT');
    });
  });
  it('has another digest after any change', async () => {
    await withFolder(async (folder) => {
      await make(folder);
      const digests = [await folderDigest(folder)];
      for (const [name, body] of [
        ['sub/b', '3'],
        ['sub/c', ''],
      ] as const) {
        await writeFile(join(folder, name), body);
        digests.push(await folderDigest(folder));
      }
      expect(new Set(digests).size).toBe(3);
    });
  });
});
