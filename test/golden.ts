import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'vitest';

/**
 * Holds a text against the committed file. `UPDATE_GOLDEN=1` writes the file instead; a missing file is a failure otherwise, so that a
 * golden file can never be recorded by accident.
 */
export function expectGolden(actual: string, file: string): void {
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
    return;
  }
  expect(existsSync(file), `${file} is missing: run once with UPDATE_GOLDEN=1 and read what it wrote`).toBe(
    true,
  );
  expect(actual).toBe(readFileSync(file, 'utf8'));
}
