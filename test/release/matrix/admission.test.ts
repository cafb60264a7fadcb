import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admission, memoryBytes } from '../../../src/release/matrix/admission.ts';

test('never more at once than allowed by number and by bytes, unless one is too large for everything: then it runs alone', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 10 }),
      async (sizes, jobs, memory) => {
        const gate = admission({ jobs, memory });
        const running: number[] = [];
        const done: number[] = [];
        await Promise.all(
          sizes.map((bytes, at) =>
            gate.run(bytes, async () => {
              running.push(bytes);
              expect(running.length).toBeLessThanOrEqual(jobs);
              const sum = running.reduce((a, b) => a + b, 0);
              expect(running.length === 1 || sum <= memory).toBe(true);
              await new Promise((resolve) => setImmediate(resolve));
              running.splice(running.indexOf(bytes), 1);
              done.push(at);
            }),
          ),
        );
        expect(done.length).toBe(sizes.length);
      },
    ),
    { numRuns: 50 },
  );
});

test('work that throws gives its room back', async () => {
  const gate = admission({ jobs: 1, memory: 1 });
  await expect(gate.run(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await gate.run(1, async () => 'yes')).toBe('yes');
});

test('memory is written as people write it', () => {
  expect(memoryBytes('1024', '--memory')).toBe(1024);
  expect(memoryBytes('4G', '--memory')).toBe(4 * 1024 ** 3);
  expect(memoryBytes('1.5GiB', '--memory')).toBe(1.5 * 1024 ** 3);
  for (const wrong of ['', 'much', '-1', '0', '4X', '1e9']) {
    expect(() => memoryBytes(wrong, '--memory')).toThrow(`--memory ${wrong}: not an amount of memory`);
  }
});
