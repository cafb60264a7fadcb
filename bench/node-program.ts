// sextant-node: how long compiling it takes with an empty cache, its size, how long it takes to start, and the memory it needs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeProgram } from '../src/release/node-program/index.ts';
import { openStore } from '../src/sources/store.ts';
import { ARCHITECTURES, hostArchitecture } from '../src/support/architecture.ts';
import { silent } from '../src/support/progress.ts';
import { median } from './median.ts';

const RUNS = 50;
const host = hostArchitecture() ?? 'amd64';
const cache = mkdtempSync(join(tmpdir(), 'sextant-bench-cache-'));
const { signal } = new AbortController();
const store = openStore({ cache, mirrors: [], frozen: false, signal, progress: silent });
const context = {
  cache,
  progress: silent,
  signal,
  store,
  frozen: false,
  mirrors: [],
  recipeFolder: '.',
  go: '',
};
const build = async () => {
  const began = performance.now();
  const programs = await Promise.all(ARCHITECTURES.map((target) => nodeProgram(context, host, target)));
  return { programs, seconds: (performance.now() - began) / 1000 };
};
const milliseconds = (program: string, args: readonly string[]): number => {
  const began = process.hrtime.bigint();
  spawnSync(program, args, { stdio: 'ignore' });
  return Number(process.hrtime.bigint() - began) / 1e6;
};

try {
  const { programs, seconds } = await build();
  const again = await build();
  console.log(
    `sextant-node for ${ARCHITECTURES.length} architectures: ${seconds.toFixed(1)} s with an empty cache, downloads included; ${(again.seconds * 1000).toFixed(0)} ms when it is there`,
  );
  ARCHITECTURES.forEach((architecture, at) => {
    console.log(`size (${architecture}): ${statSync(programs[at]?.file ?? '').size} bytes`);
  });
  const program = programs[ARCHITECTURES.indexOf(host)]?.file ?? '';
  const own: number[] = [];
  const nothing: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    own.push(milliseconds(program, ['--version']));
    nothing.push(milliseconds('/bin/true', []));
  }
  console.log(
    `start: median ${median(own).toFixed(2)} ms; /bin/true: ${median(nothing).toFixed(2)} ms; ${RUNS} pairs, spawning included`,
  );
  // Everything it maps, which is more than what is in memory: the smallest limit that it runs under.
  let kib = 200;
  while (spawnSync('sh', ['-c', `ulimit -v ${kib} && exec "$0" --help`, program]).status !== 0) kib += 20;
  console.log(`address space that --help needs: ${kib} KiB`);
} finally {
  rmSync(cache, { recursive: true, force: true });
}
