import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LockedBlob } from '../../src/lock/types.ts';
import { recipeSchema } from '../../src/recipe/schema.ts';
import { hookAnswers, sameAddress } from '../../src/release/hook-answers.ts';
import type { BlobStore } from '../../src/sources/types.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const recipe = recipeSchema.parse({
  distribution: { name: 'k3s', version: 'v1.36.3+k3s1' },
  components: [{ name: 'installer', source: { type: 'file', path: 'install.sh' } }],
  provider: { component: 'installer' },
  hook: {
    answers: [
      { url: 'https://get.k3s.io', component: 'installer' },
      { url: 'https://example.org/{tag}/k3s{suffix}', component: 'installer', file: 'install.sh' },
    ],
  },
});

const locked: LockedBlob = { url: 'https://example.org/v1%2Bk3s1/sums', size: 1, sha256: 'a'.repeat(64) };
const store = { fetch: async ({ sha256 }: LockedBlob) => `/blobs/${sha256}` } as unknown as BlobStore;

async function answers(extra: object = {}, files = ['install.sh']) {
  const folder = await temporaryFolder();
  for (const name of files) await writeFile(join(folder, name), 'x');
  const answer = hookAnswers({
    recipe,
    version: 'v1.36.3+k3s1',
    architecture: 'arm64',
    folders: new Map([['installer', folder]]),
    store,
    locked: [locked],
    ...extra,
  });
  return { answer, folder };
}

test('an address the recipe answers is served from its component, however it is spelt', async () => {
  const { answer, folder } = await answers();
  const file = { kind: 'file', path: join(folder, 'install.sh') };
  expect(await answer('https://get.k3s.io/')).toEqual(file);
  expect(await answer('https://example.org/v1.36.3%2Bk3s1/k3s-arm64')).toEqual(file);
  expect(await answer('https://example.org/v1.36.3+k3s1/k3s-arm64')).toEqual(file);
});

test('an address in the lock is served from the store by its digest', async () => {
  const { answer } = await answers();
  expect(await answer('https://example.org/v1+k3s1/sums')).toEqual({
    kind: 'file',
    path: `/blobs/${locked.sha256}`,
  });
});

test('an address that is in neither is refused with what to do', async () => {
  const { answer } = await answers();
  expect(await answer('https://example.org/else')).toMatchObject({
    kind: 'refuse',
    reason: expect.stringContaining('sextant lock --update'),
  });
});

test('when locking, an unknown address is recorded once and then served', async () => {
  const asked: string[] = [];
  const { answer } = await answers({
    record: async (url: string) => {
      asked.push(url);
      return { url, size: 3, sha256: 'b'.repeat(64) };
    },
  });
  expect(await answer('https://example.org/new')).toEqual({ kind: 'file', path: `/blobs/${'b'.repeat(64)}` });
  expect(asked).toEqual(['https://example.org/new']);
});

test('an answer that could be one of several files asks which', async () => {
  const { answer } = await answers({}, ['install.sh', 'other.sh']);
  await expect(answer('https://get.k3s.io')).rejects.toMatchObject({
    code: 'input',
    message: 'component installer holds 2 files, an answer to the hook needs one',
  });
});

test('addresses differ by path and query, not by percent-encoding', () => {
  expect(sameAddress('https://a.b/x%2By')).toBe(sameAddress('https://a.b/x+y'));
  expect(sameAddress('https://a.b/x?q=1')).not.toBe(sameAddress('https://a.b/x'));
  expect(sameAddress('not an address')).toBe('not an address');
});

test('an answer that leads out of its component, or is not there, is an error and serves nothing', async () => {
  const address = 'https://example.org/v1.36.3+k3s1/k3s-arm64';
  const { answer, folder } = await answers({}, ['other.sh']);
  await expect(answer(address)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('install.sh'),
  });
  await symlink('/etc/hostname', join(folder, 'install.sh'));
  await expect(answer(address)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('install.sh'),
  });
});
