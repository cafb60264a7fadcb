import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { provingScript } from '../../src/lab/proving.ts';

// The shell that guests run checks in, on this machine.

function proves(script: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'sextant-proving-'));
  const text = provingScript(script).replace('/run/sextant-lab/trace', join(folder, 'trace'));
  const { status } = spawnSync('sh', ['-c', text]);
  rmSync(folder, { recursive: true });
  return status === 0;
}

test.each([
  ['true', true],
  ['true\nfalse\ntrue', false],
  ['no false', true],
  ['no true\ntrue', false],
  ['no command -v sextant-missing', true],
  ['no command -v sh', false],
  ['no sextant-missing --validate', false],
  ['[ "$(echo one)" = two ]', false],
  ['unset=$nothing', false],
])('%s: %s', (script, expected) => {
  expect(proves(script)).toBe(expected);
});
