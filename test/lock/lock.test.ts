import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lockFileOf, lockText, readLock, staleness, writeLock } from '../../src/lock/lock.ts';
import type { Lock } from '../../src/lock/types.ts';
import { recipeDigest } from '../../src/recipe/load.ts';
import { recipeSchema } from '../../src/recipe/schema.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const recipe = recipeSchema.parse({
  distribution: { name: 'k3s', version: 'v1.36.3+k3s1' },
  components: [{ name: 'provider-kairos', source: { type: 'file', path: 'plugin' } }],
  architectures: ['amd64'],
});

const lockOf = (urls: readonly string[]): Lock => ({
  lockVersion: 1,
  recipe: recipeDigest(recipe),
  distribution: { name: 'k3s', version: 'v1.36.3+k3s1' },
  tools: { go: { version: 'go1.26.8' }, erofs: {}, qemu: {}, hookRoot: {} },
  architectures: {
    amd64: {
      components: [
        {
          name: 'provider-kairos',
          type: 'file',
          version: '0',
          inputs: urls.map((url, size) => ({ url, size, sha256: 'a'.repeat(64), checkedAgainst: 'sums' })),
          detail: { note: 'x' },
        },
      ],
      hookDownloads: [],
    },
  },
});

test('what is written is what is read, whatever an address holds', async () => {
  const file = join(await temporaryFolder(), 'sextant.lock.json');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ minLength: 1 }), { maxLength: 4 }), async (urls) => {
      await writeLock(file, lockOf(urls));
      expect(await readLock(file)).toEqual(lockOf(urls));
    }),
    { numRuns: 50 },
  );
});

test('the text is the same for a lock that was just made and for the one that was read from it', async () => {
  const file = join(await temporaryFolder(), 'sextant.lock.json');
  const { tools, lockVersion, ...rest } = lockOf(['https://a/1']);
  const { go, ...others } = tools;
  const made = { tools: { ...others, go }, ...rest, lockVersion } as Lock;
  await writeLock(file, made);
  expect(lockText((await readLock(file)) as Lock)).toBe(await readFile(file, 'utf8'));
});

test('each fetched file is one line of the text', () => {
  const lines = lockText(lockOf(['https://a/1', 'https://a/2'])).split('\n');
  expect(lines.filter((line) => line.includes('"sha256"'))).toHaveLength(2);
});

test('the lock of a recipe stands next to it', () => {
  expect(lockFileOf('/a/sextant.yaml')).toBe('/a/sextant.lock.json');
  expect(lockFileOf('recipes/lab.yml')).toBe('recipes/lab.lock.json');
});

test('no lock is undefined; a damaged or newer one is an error that names the file', async () => {
  const file = join(await temporaryFolder(), 'sextant.lock.json');
  expect(await readLock(file)).toBeUndefined();
  await writeLock(file, lockOf(['https://a/1']));
  const text = await readFile(file, 'utf8');
  for (const [damaged, said] of [
    [text.slice(0, -40), 'not JSON'],
    [text.replace('"size":0', '"size":-1'), 'not a sextant lock'],
    [text.replace('"lockVersion": 1', '"lockVersion": 2'), 'lock version 2'],
  ] as const) {
    await writeFile(file, damaged);
    await expect(readLock(file)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(said),
    });
  }
});

test('a changed recipe or a missing architecture makes the lock stale', () => {
  expect(staleness(lockOf([]), recipe)).toBeUndefined();
  expect(staleness(lockOf([]), { ...recipe, name: 'other' })).toContain('changed');
  const both = { ...recipe, architectures: ['amd64', 'arm64'] as const };
  expect(
    staleness(
      { ...lockOf([]), recipe: recipeDigest({ ...both, architectures: [...both.architectures] }) },
      {
        ...recipe,
        architectures: [...both.architectures],
      },
    ),
  ).toContain('arm64');
});
