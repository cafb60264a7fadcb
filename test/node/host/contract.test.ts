import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { CONTRACT } from './contract.ts';
import { nodeHost } from './node-host.ts';

describe('the host of the tests, under Node.js', () => {
  test.for(CONTRACT)('$name', ({ check }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sextant-host-'));
    try {
      check(nodeHost(), folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
