// run.mjs FILE [ARGUMENT...]: bundles a measuring script and runs it from the repository's folder.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const [file, ...rest] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'sextant-bench-'));
try {
  const outfile = join(folder, 'bench.mjs');
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    // Some dependencies are CommonJS and ask for Node's own modules through require().
    banner: {
      js: "import { createRequire as _cr } from 'node:module'; const require = _cr(import.meta.url);",
    },
    alias: { vitest: resolve('bench/no-vitest.ts') },
    // Workers are found from the repository, not from where this bundle lies.
    define: { 'import.meta.url': JSON.stringify(`file://${process.cwd()}/build/bench.mjs`) },
  });
  process.exitCode = spawnSync(process.execPath, [outfile, ...rest], { stdio: 'inherit' }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
