import { chmod, lstat, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { file } from '../../src/sources/file/index.ts';
import { sourceFor } from '../../src/sources/index.ts';
import { url } from '../../src/sources/url/index.ts';
import { componentOf } from './component.ts';
import { contextFor, errorOf, withFolder } from './context.ts';
import { sha256, startServer, type TestServer } from './server.ts';

const script = '#!/bin/sh\necho hello\n';
let server: TestServer;

beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  await server.close();
});

describe('an address', () => {
  test('is pinned as it comes where nothing says what it should be', () =>
    withFolder(async (cache) => {
      server.on('/x86/install.sh', { body: script });
      const { component, source } = componentOf({
        type: 'url',
        url: `${server.url}/{arch}/install.sh`,
        archNames: { amd64: 'x86', arm64: 'arm' },
      });
      const context = contextFor(cache);
      const locked = await url.resolve(component, source, 'amd64', context);
      expect(locked.inputs).toEqual([
        { url: `${server.url}/x86/install.sh`, size: script.length, sha256: sha256(script) },
      ]);
      const folder = await url.materialize(component, source, locked, 'amd64', context);
      expect((await stat(join(folder, 'install.sh'))).mode & 0o777).toBe(0o755);
    }));

  test('is held against the digest of the recipe', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: script });
      const at = (digest: string) =>
        componentOf({ type: 'url', url: `${server.url}/file`, sha256: { amd64: digest } });
      const good = at(sha256(script));
      const context = contextFor(cache);
      const locked = await url.resolve(good.component, good.source, 'amd64', context);
      expect(locked.inputs[0]?.checkedAgainst).toBe('the recipe');
      const bad = at(sha256('other'));
      const error = await errorOf(url.resolve(bad.component, bad.source, 'amd64', context));
      expect(error.code).toBe('verification');
      expect(error.message).toContain(sha256('other'));
    }));

  test('is held against a published list, which the recipe must agree with', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: script });
      server.on('/sums', { body: `${sha256(script)}  file\n` });
      const at = (more: object) =>
        componentOf({ type: 'url', url: `${server.url}/file`, checksums: `${server.url}/sums`, ...more });
      const good = at({});
      const locked = await url.resolve(good.component, good.source, 'amd64', contextFor(cache));
      expect(locked.inputs[0]?.checkedAgainst).toBe(`${server.url}/sums`);
      const bad = at({ sha256: { amd64: sha256('other') } });
      const error = await errorOf(url.resolve(bad.component, bad.source, 'amd64', contextFor(cache)));
      expect(error.message).toContain('the recipe says');
    }));
});

describe('a local file', () => {
  const at = (path: string) => componentOf({ type: 'file', path });

  test('is pinned by its digest and copied with its executable bit', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'tool-amd64'), script);
      await chmod(join(folder, 'tool-amd64'), 0o775);
      const { component, source } = at('tool-{arch}');
      const context = contextFor(join(folder, 'cache'), { recipeFolder: folder });
      const locked = await file.resolve(component, source, 'amd64', context);
      expect(locked.inputs).toEqual([
        { url: 'file:tool-amd64#tool-amd64', size: script.length, sha256: sha256(script) },
      ]);
      const made = await file.materialize(component, source, locked, 'amd64', context);
      expect((await stat(join(made, 'tool-amd64'))).mode & 0o777).toBe(0o755);
    }));

  test('that changed since the lock is named with both digests', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'tool'), 'before');
      const { component, source } = at('tool');
      const context = contextFor(join(folder, 'cache'), { recipeFolder: folder });
      const locked = await file.resolve(component, source, 'amd64', context);
      await file.materialize(component, source, locked, 'amd64', context);
      await writeFile(join(folder, 'tool'), 'after');
      const error = await errorOf(file.materialize(component, source, locked, 'amd64', context));
      expect(error).toMatchObject({
        code: 'verification',
        message: `tool: tool has changed since the lock was written: expected sha256 ${sha256('before')}, got ${sha256('after')}`,
      });
    }));

  test('that is not there is an error that names it', () =>
    withFolder(async (folder) => {
      const { component, source } = at('missing');
      const error = await errorOf(file.resolve(component, source, 'amd64', contextFor(folder)));
      expect(error).toMatchObject({
        code: 'input',
        message: `tool: ${folder}/missing: no such file or folder`,
      });
    }));
});

describe('a local folder', () => {
  const { component, source } = componentOf({ type: 'file', path: 'folder' });
  const lay = async (folder: string) => {
    await mkdir(join(folder, 'folder/sub/empty'), { recursive: true });
    await writeFile(join(folder, 'folder/sub/run'), script, { mode: 0o755 });
    await writeFile(join(folder, 'folder/text'), 'text');
    await symlink('sub/run', join(folder, 'folder/link'));
  };

  test('is copied with folders, links and executable bits, the same whatever the umask of the checkout', () =>
    withFolder(async (folder) => {
      await lay(folder);
      const context = contextFor(join(folder, 'cache'), { recipeFolder: folder });
      const locked = await file.resolve(component, source, 'amd64', context);
      await chmod(join(folder, 'folder/text'), 0o664);
      await chmod(join(folder, 'folder/sub'), 0o775);
      const made = await file.materialize(component, source, locked, 'amd64', context);
      const mode = async (path: string) => (await stat(join(made, path))).mode & 0o777;
      expect([await mode('sub'), await mode('sub/run'), await mode('text')]).toEqual([0o755, 0o755, 0o644]);
      expect((await lstat(join(made, 'link'))).isSymbolicLink()).toBe(true);
      expect(await readFile(join(made, 'link'), 'utf8')).toBe(script);
    }));

  test.each<[string, (folder: string) => Promise<void>, string]>([
    ['a changed file', (f) => writeFile(join(f, 'text'), 'new'), 'folder/text has changed'],
    ['a new file', (f) => writeFile(join(f, 'more'), ''), 'folder/more is new'],
    ['a removed file', (f) => rm(join(f, 'sub/run')), 'folder/sub/run was there'],
    ['an executable bit', (f) => chmod(join(f, 'text'), 0o755), 'folder/text has another kind'],
    [
      'another link target',
      async (f) => {
        await rm(join(f, 'link'));
        await symlink('text', join(f, 'link'));
      },
      'folder/link has another kind',
    ],
  ])('that differs from the lock by %s is refused by name', (_, change, words) =>
    withFolder(async (folder) => {
      await lay(folder);
      const context = contextFor(join(folder, 'cache'), { recipeFolder: folder });
      const locked = await file.resolve(component, source, 'amd64', context);
      await change(join(folder, 'folder'));
      const error = await errorOf(file.materialize(component, source, locked, 'amd64', context));
      expect(error.code).toBe('verification');
      expect(error.message).toContain(words);
      expect(error.hint).toContain('sextant lock');
    }),
  );
});

test('every source type of the schema has its room', async () => {
  for (const type of ['github-release', 'url', 'go-module', 'debian', 'oci', 'file'] as const) {
    const room = await sourceFor(type);
    expect(typeof room.resolve).toBe('function');
    expect(typeof room.materialize).toBe('function');
  }
});
