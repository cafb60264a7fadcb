import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openExtImage } from '../../../src/node/observe/ext-image.ts';

const work = mkdtempSync(join(tmpdir(), 'sextant-ext-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const release = `KAIROS_NAME="judged"\n${'# filling\n'.repeat(3000)}`;
const tree = join(work, 'tree');
mkdirSync(join(tree, 'etc/many'), { recursive: true });
// A folder of several blocks, and a file of more than twelve.
for (let count = 0; count < 400; count++) writeFileSync(join(tree, 'etc', `a-long-file-name-${count}`), '');
writeFileSync(join(tree, 'etc/kairos-release'), release);

test.each([
  ['ext2', ['-t', 'ext2', '-b', '1024']],
  ['ext2 as kairos-agent makes it', ['-t', 'ext2']],
  ['ext3', ['-t', 'ext3', '-b', '2048']],
  ['ext4', ['-t', 'ext4']],
  ['ext4 of 1 KiB blocks without 64bit', ['-t', 'ext4', '-b', '1024', '-O', '^64bit']],
  ['ext4 of small inodes', ['-t', 'ext4', '-I', '128']],
] as const)('%s by mke2fs is read as debugfs and blkid read it', (name, options) => {
  const image = join(work, `${name}.img`);
  execFileSync('mke2fs', ['-q', '-F', ...options, '-d', tree, image, '24M']);
  const bytes = readFileSync(image);
  const opened = openExtImage((offset, length) => bytes.subarray(offset, offset + length));
  const uuid = execFileSync('blkid', ['-p', '-s', 'UUID', '-o', 'value', image], { encoding: 'utf8' });
  expect(opened?.uuid).toBe(uuid.trim());
  const judged = execFileSync('debugfs', ['-R', 'cat /etc/kairos-release', image], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(judged).toBe(release);
  expect(new TextDecoder().decode(opened?.readFile('/etc/kairos-release'))).toBe(judged);
});
