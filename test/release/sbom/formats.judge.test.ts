import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { cyclonedxText } from '../../../src/release/sbom/cyclonedx.ts';
import { takeInventory } from '../../../src/release/sbom/inventory.ts';
import { spdxText } from '../../../src/release/sbom/spdx.ts';
import { cacheFolder } from '../../../src/support/context.ts';
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

test.each([
  ['CycloneDX', 'c.cdx.json', cyclonedxText],
  ['SPDX', 'c.spdx.json', spdxText],
])(
  'the libraries that vulnerability scanners read %s with find every package, by the same name, version and address',
  (_, name, text) => {
    const program = join(cacheFolder(), 'judges', 'go', 'bin', 'sbom-judge');
    const read = execFileSync(program, [written(name, text(EXAMPLE))], { encoding: 'utf8' });
    const expected = takeInventory(EXAMPLE).parts.flatMap(({ purl, name: called, version }) =>
      purl === undefined ? [] : [`${purl}\t${called}\t${version}`],
    );
    const lines = read
      .trim()
      .split('\n')
      .map((line) => decodeURIComponent(line));
    expect(lines.sort()).toEqual(expected.map((line) => decodeURIComponent(line)).sort());
  },
);
