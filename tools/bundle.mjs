// Bundles the command line into build/. Commands are split into chunks that load on use, so that `--help` stays fast;
// workers and the sandbox's programs are files of their own, because other processes start them by path.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

const outdir = process.argv[2] ?? 'build';
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: {
    sextant: 'src/cli/main.ts',
    'hash-worker': 'src/image/hash-worker.ts',
    'sandbox-gate': 'src/hook/sandbox-gate.ts',
  },
  outdir,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
  chunkNames: 'chunks/[name]-[hash]',
  loader: { '.sh': 'text', '.asc': 'text', '.service': 'text', '.conf': 'text' },
  // Some dependencies are CommonJS and ask for Node's own modules through require().
  banner: { js: "import { createRequire as _cr } from 'node:module'; const require = _cr(import.meta.url);" },
});
