import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey, type KeyFiles } from '../../../src/release/keys/create.ts';
import { writeTrustedBootFiles } from '../../../src/release/keys/trusted-boot.ts';
import { inToolsRoot, toolsRoot } from '../../tools-root.ts';

// efitools (make tools), entered as root: what people make signature lists for firmware with.
const work = mkdtempSync(join(toolsRoot, 'mnt', 'efi-'));
const inside = (path: string) => path.slice(toolsRoot.length);
const out = join(work, 'uki');
let key: KeyFiles;

beforeAll(async () => {
  key = await createKey({
    name: join(work, 'release'),
    commonName: 'x',
    bits: 2048,
    days: 2,
    encrypt: false,
  });
  await writeTrustedBootFiles(key.certificate, out);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

function tool(name: string, ...args: string[]): void {
  const [program, all] = inToolsRoot(name, args);
  execFileSync(program, all, { stdio: 'pipe' });
}

test('cert-to-efi-sig-list makes the same signature list of the certificate', () => {
  const list = readFileSync(join(out, 'db.esl'));
  const hex = (from: number, to: number, reverse: boolean) => {
    const bytes = Buffer.from(list.subarray(from, to));
    return (reverse ? bytes.reverse() : bytes).toString('hex');
  };
  const owner = [
    hex(28, 32, true),
    hex(32, 34, true),
    hex(34, 36, true),
    hex(36, 38, false),
    hex(38, 44, false),
  ].join('-');
  tool('cert-to-efi-sig-list', '-g', owner, inside(key.certificate), inside(join(work, 'theirs.esl')));
  expect(list.equals(readFileSync(join(work, 'theirs.esl')))).toBe(true);
});

test('sig-list-to-certs reads the certificate out of it', () => {
  tool('sig-list-to-certs', inside(join(out, 'db.esl')), inside(join(work, 'read')));
  expect(readFileSync(join(work, 'read-0.der')).equals(key.x509.raw)).toBe(true);
  expect(readFileSync(join(out, 'db.der')).equals(key.x509.raw)).toBe(true);
});

test('files that are there are not overwritten', async () => {
  await expect(writeTrustedBootFiles(key.certificate, out)).rejects.toMatchObject({ code: 'filesystem' });
  expect(readdirSync(out).sort()).toEqual(['db.der', 'db.esl', 'verity.crt']);
});
