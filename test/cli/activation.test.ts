import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { silent } from '../../src/support/progress.ts';
import { makeSigner } from '../image/fixture.ts';
import { makeRelease } from '../release/catalog/example.ts';
import { sextant } from '../sextant.ts';

let folder: string;
let signed: string;
let unsigned: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-activation-'));
  const context = { cache: join(folder, 'cache'), progress: silent, signal: new AbortController().signal };
  [signed, unsigned] = [join(folder, 'signed'), join(folder, 'unsigned')];
  const version = 'v1.36.3+k3s1';
  await makeRelease(signed, { version, signing: makeSigner(folder, 'release') }, context);
  await makeRelease(unsigned, { version }, context);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const activation = (...args: readonly string[]) => {
  const { code, stdout, stderr } = sextant(['activation', ...args], { cwd: folder });
  return { code, text: stdout, stderr };
};
const certificates = (text: string) =>
  (parse(text, { version: '1.1' }).stages.initramfs[0].files as { path: string; content: string }[]).filter(
    ({ path }) => path.startsWith('/etc/verity.d/'),
  );
const pem = () => readFileSync(join(folder, 'release.crt'), 'utf8');

describe('sextant activation --strict', () => {
  test("brings the release's certificate", () => {
    const { code, text, stderr } = activation(signed, '--strict');
    expect(code, stderr).toBe(0);
    expect(certificates(text).map(({ content }) => content)).toEqual([pem()]);
  });

  test('--certificate firmware brings none: what the firmware vouches for is all that counts', () => {
    const { code, text, stderr } = activation(signed, '--strict', '--certificate', 'firmware');
    expect(code, stderr).toBe(0);
    expect(certificates(text)).toEqual([]);
    expect(text).not.toContain('BEGIN CERTIFICATE');
    expect(text).toContain(
      "# The extension is merged only with a signature by a certificate of the firmware's db",
    );
    expect(text).toContain("trust='strict'");
  });

  test('--certificate ./firmware is a file', () => {
    writeFileSync(join(folder, 'firmware'), pem());
    expect(certificates(activation(signed, '--strict', '--certificate', './firmware').text)).toHaveLength(1);
  });

  test('is refused for a release that is not signed, whoever is to vouch for it', () => {
    for (const options of [[], ['--certificate', 'firmware']]) {
      const { code, stderr } = activation(unsigned, '--strict', ...options);
      expect(code).toBe(3);
      expect(stderr).toContain('is not signed, a strict node would refuse it');
    }
  });

  test('is what --certificate is for', () => {
    const { code, stderr } = activation(signed, '--certificate', 'firmware');
    expect(code).toBe(2);
    expect(stderr).toContain('--certificate is for --strict');
  });
});
