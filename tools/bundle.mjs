// Bundles the command line into build/. Commands are split into chunks that load on use, so that `--help` stays fast;
// workers and the sandbox's programs are files of their own, because other processes start them by path.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const entryPoints = {
  sextant: 'src/cli/main.ts',
  'hash-worker': 'src/image/hash-worker.ts',
  'sandbox-gate': 'src/hook/sandbox-gate.ts',
};

const sources = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));
const digest = createHash('sha256');
for (const path of [...sources, 'package-lock.json'].sort())
  digest.update(`${path}\0`).update(readFileSync(path));

const { outputFiles } = await build({
  entryPoints,
  outdir: process.argv[2] ?? 'build',
  write: false,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: true,
  legalComments: 'none',
  define: { SEXTANT_SOURCE: JSON.stringify(digest.digest('hex')) },
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
