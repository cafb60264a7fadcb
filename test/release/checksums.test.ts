import { execFileSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checksumsText, verifyChecksums } from '../../src/release/checksums.ts';
import { sha256 } from '../../src/support/files.ts';
import { temporaryFolder } from '../temporary-folder.ts';

async function release(): Promise<string> {
  const folder = await temporaryFolder();
  const files = { 'b.raw': 'image', 'activation.yaml': '#cloud-config\n' };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const digests = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sha256(text)]));
  await writeFile(join(folder, 'SHA256SUMS'), checksumsText(digests));
  return folder;
}

test('sha256sum reads the checksums as its own', async () => {
  const folder = await release();
  expect(execFileSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })).toBe(
    'activation.yaml: OK\nb.raw: OK\n',
  );
  expect(await verifyChecksums(folder)).toBe(2);
});

test('a changed file is named with both digests', async () => {
  const folder = await release();
  await writeFile(join(folder, 'b.raw'), 'imagE');
  await expect(verifyChecksums(folder)).rejects.toMatchObject({
    code: 'verification',
    message: `${folder}/b.raw: SHA-256 is ${sha256('imagE')}, SHA256SUMS says ${sha256('image')}`,
  });
});

test('a missing file is named', async () => {
  const folder = await release();
  await rm(join(folder, 'b.raw'));
  await expect(verifyChecksums(folder)).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringContaining('b.raw: is missing'),
  });
});

test('a list that leads out of the release is refused', async () => {
  const folder = await release();
  await writeFile(join(folder, 'SHA256SUMS'), `${'0'.repeat(64)}  ../outside\n`);
  await expect(verifyChecksums(folder)).rejects.toMatchObject({
    message: expect.stringContaining('malformed'),
  });
});
