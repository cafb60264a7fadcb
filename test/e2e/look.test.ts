import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sextant, startSextant } from '../sextant.ts';
import { startServer, type TestServer } from '../sources/server.ts';
import { makeCache, makeSmallRecipe, mirroredTo, UPSTREAM } from './small-recipe.ts';

// What people see of two extensions, the second one with another tool in another version.

let folder: string;
let server: TestServer;
let before: string;
let after: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-look-'));
  server = await startServer();
  await makeCache(join(folder, 'cache'));
  server.on('/tool-1.0', { body: '#!/bin/sh\necho one\n' });
  server.on('/tool-1.1', { body: '#!/bin/sh\necho one point one\n' });
  before = await build(
    '1.0',
    'echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s; echo x > /usr/share/gone',
  );
  after = await build(
    '1.1',
    'echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s; echo xyz > /usr/share/new',
  );
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function build(version: string, shell: string): Promise<string> {
  const at = join(folder, version);
  await makeSmallRecipe(at, {
    hook: { shell },
    components: [
      {
        name: 'tool',
        source: { type: 'url', url: `${UPSTREAM}/tool-${version}`, version },
        files: [{ from: `tool-${version}`, to: '/usr/bin/tool', mode: '0755' }],
      },
    ],
    more: { mirrors: mirroredTo(server.url) },
  });
  // Beside the server, which runs in this process.
  const env = { SEXTANT_CACHE: join(folder, 'cache') };
  const { code, stderr } = await startSextant(['build'], { cwd: at, env }).ended;
  expect(code, stderr).toBe(0);
  const raw = (await readdir(join(at, 'dist'))).find((name) => name.endsWith('.raw'));
  return join(at, 'dist', raw ?? '');
}

const show = (...args: string[]) => {
  const { code, stdout, stderr } = sextant(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  return stdout;
};

describe('diff', () => {
  test('names the versions and files that differ, with what they grew by', () => {
    const page = show('diff', before, after);
    expect(page).toMatch(/^Versions:\n {2}tool {2}1\.0 {2}-> {2}1\.1\n\nFiles: \d+ differ\n/);
    expect(page).toMatch(/^ {2}~ {2}\/usr\/bin\/tool +tool +\+10 B$/m);
    expect(page).toMatch(/^ {2}- {2}\/usr\/share\/gone +hook +-2 B$/m);
    expect(page).toMatch(/^ {2}\+ {2}\/usr\/share\/new +hook +\+4 B$/m);
    expect(page).not.toContain('/usr/bin/k3s');
    expect(page).toMatch(/\nImage: .+ -> .+\n$/);
  });

  test('--json says the same', () => {
    const { versions, files } = JSON.parse(show('diff', '--json', before, after));
    expect(versions).toEqual([{ name: 'tool', before: '1.0', after: '1.1' }]);
    expect(files).toContainEqual({
      path: '/usr/share/gone',
      change: 'removed',
      component: 'hook',
      before: 2,
      after: 0,
    });
  });
});

describe('inspect', () => {
  test('is a page with partitions, root hash, signature, components and what happened to each path', () => {
    const page = show('inspect', before);
    expect(page).toMatch(/^Extension +small v1\.36\.3\+k3s1 \((amd64|arm64)\)\nFile +\S+\.raw, .+\n/);
    expect(page).toMatch(
      /^File system +erofs, .+, UUID \S+\nRoot hash +[0-9a-f]{64}\nSalt +[0-9a-f]{64}\nSignature +none$/m,
    );
    expect(page).toMatch(/^Partitions:\n {2}root +.+ at 1048576 +\S+\n {2}root-verity +/m);
    expect(page).toMatch(/^ {2}tool +19 B +1 path +1\.0$/m);
    expect(page).toMatch(/^ {2}hook .+ laid down by the provider$/m);
    expect(page).toMatch(/^What happened to each path:\n {2}delivered +\d+ {2}where they were written$/m);
  });

  test('--files lists every path with where it came from', () => {
    const page = show('inspect', '--files', before);
    expect(page).toMatch(/^delivered +0755 +19 B +tool +\/usr\/bin\/tool$/m);
    expect(page).toMatch(/^added +.+\/usr\/lib\/extension-release\.d\/extension-release\.small$/m);
  });
});
