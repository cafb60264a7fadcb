import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBuildLog, plain } from '../../src/hook/build-log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-log-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the build log', () => {
  it('has whole lines however the output was cut, each with its source', async () => {
    const text = Buffer.from('größer\nzweite\r\ndritte');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length)), async (cuts) => {
        const path = join(folder, 'new/log');
        const log = openBuildLog(path);
        const ends = [...new Set([0, ...cuts, text.length])].sort((a, b) => a - b);
        ends.slice(1).forEach((end, index) => {
          // A "\r" at the end of a piece is a line end of its own, as it is on a terminal.
          log.output('hook', text.subarray(ends[index], end));
        });
        log.close();
        const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '[hook] ');
        expect(lines).toEqual(['[hook] größer', '[hook] zweite', '[hook] dritte', '']);
      }),
      { numRuns: 50 },
    );
  });

  it('is there while it is being written, and gives its end', async () => {
    const log = openBuildLog(join(folder, 'log'));
    log.line('sextant', 'one\ntwo');
    log.output('hook', Buffer.from('unfinished'));
    expect(await readFile(join(folder, 'log'), 'utf8')).toBe('[sextant] one\n[sextant] two\n');
    expect(log.end(2)).toBe('[sextant] two\n[hook] unfinished');
    log.close();
    log.line('sextant', 'after the end');
    expect(await readFile(join(folder, 'log'), 'utf8')).not.toContain('after');
  });

  it('replaces an older log', async () => {
    openBuildLog(join(folder, 'log')).line('sextant', 'old');
    openBuildLog(join(folder, 'log')).close();
    expect(await readFile(join(folder, 'log'), 'utf8')).toBe('');
  });

  it('takes colours, titles and control characters out', () => {
    expect(
      plain('\u001b[31mred\u001b[0m \u001b]0;title\u0007\u001b]8;;http://x\u001b\\link\u0008\u0000\ttab'),
    ).toBe('red link\ttab');
  });

  it('never has a control character, whatever a hook prints', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there.
        expect(plain(text)).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
      }),
    );
  });
});
