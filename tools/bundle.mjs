// Bundles the command line into build/. Commands are split into chunks that load on use, so that `--help` stays fast;
// workers and the sandbox's programs are files of their own, because other processes start them by path.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';

const entryPoints = {
  sextant: 'src/cli/main.ts',
  'hash-worker': 'src/image/hash-worker.ts',
  'sandbox-gate': 'src/hook/sandbox-gate.ts',
};

// TEMPORARY while rooms are being written: the command line needs all of them.
const rooms = ['src/image/index.ts', 'src/tree/index.ts', 'src/hook/index.ts', 'src/activation/index.ts', 'src/sources/index.ts', 'src/sources/debian/index.ts', 'src/sources/store.ts', 'src/sources/distribution.ts', 'src/sources/probe.ts', 'src/sources/checksums.ts', 'src/release/activation.ts'];
if (!rooms.every((file) => existsSync(file))) delete entryPoints.sextant;

const { outputFiles } = await build({
  entryPoints: Object.fromEntries(Object.entries(entryPoints).filter(([, file]) => existsSync(file))),
  outdir: process.argv[2] ?? 'build',
  write: false,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
  chunkNames: 'chunks/[name]-[hash]',
  // Some dependencies are CommonJS and ask for Node's own modules through require().
  banner: { js: "import { createRequire as _cr } from 'node:module'; const require = _cr(import.meta.url);" },
});

// Only what changed is written, by rename: a program that runs from build/ meanwhile keeps what it has.
for (const { path, contents } of outputFiles) {
  if (existsSync(path) && Buffer.compare(readFileSync(path), contents) === 0) continue;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents, { mode: path.endsWith('/sextant.js') ? 0o755 : 0o644 });
  renameSync(temporary, path);
}
