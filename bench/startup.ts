// How long `sextant --help` takes, beside what Node itself takes to start and do nothing; in turn, so that a busy machine slows both.
import { spawnSync } from 'node:child_process';
import { median } from './median.ts';

const RUNS = 15;
const milliseconds = (args: readonly string[]): number => {
  const began = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return Number(process.hrtime.bigint() - began) / 1e6;
};

const own: number[] = [];
const node: number[] = [];
for (let run = -1; run < RUNS; run += 1) {
  const pair = [milliseconds(['build/sextant.js', '--help']), milliseconds(['-e', '0'])] as const;
  if (run < 0) continue; // Warm-up.
  own.push(pair[0]);
  node.push(pair[1]);
}
console.log(
  `sextant --help: median ${median(own).toFixed(0)} ms; node -e 0: ${median(node).toFixed(0)} ms; ${RUNS} pairs`,
);
