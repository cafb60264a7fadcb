import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileModule } from '../../../src/release/node-program/index.ts';
import { bundled, compilingContext, thisMachine } from '../compiled.ts';
import { CONTRACT } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'sextant-host-'));
let lines: string[] = [];

beforeAll(async () => {
  const text = await bundled('test/node/host/contract-main.ts');
  const program = await compileModule(compilingContext(), thisMachine, thisMachine, {
    name: 'contract.js',
    text,
  });
  lines = execFileSync(program, [folder], { encoding: 'utf8' }).trim().split('\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the host of a node, under QuickJS', () => {
  test.for(CONTRACT)('$name', ({ name }) => {
    expect(lines.filter((line) => line.slice(line.indexOf('ok ') + 3).startsWith(name))).toEqual([
      `ok ${name}`,
    ]);
  });

  test('everything was run, and nothing failed that only the real host can do', () => {
    expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([`${lines.length - 1} cases`]);
    expect(lines.length - 1).toBeGreaterThan(CONTRACT.length);
  });
});
