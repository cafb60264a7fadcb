import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { cyclonedxText } from '../../../src/release/sbom/cyclonedx.ts';
import { spdxText } from '../../../src/release/sbom/spdx.ts';
import { cyclonedxProblems } from '../cyclonedx-tools.ts';
import { spdxProblems } from '../spdx-tools.ts';
import { EXAMPLE } from './example.ts';

const work = mkdtempSync(join(tmpdir(), 'sextant-sbom-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

function written(name: string, text: string): string {
  writeFileSync(join(work, name), text);
  return join(work, name);
}

test('CycloneDX’ own schema finds the bill of materials valid, and a wrong one not', () => {
  expect(cyclonedxProblems(written('a.cdx.json', cyclonedxText(EXAMPLE)))).toBe('');
  const wrong = cyclonedxText(EXAMPLE).replace('"type": "file"', '"type": "fish"');
  expect(cyclonedxProblems(written('b.cdx.json', wrong))).toContain('fish');
});

test('the SPDX project’s own tools find the bill of materials valid', () => {
  expect(spdxProblems(written('a.spdx.json', spdxText(EXAMPLE)))).toBe('');
});
