// Bundles the command line into build/. Commands are split into chunks that load on use, so that `--help` stays fast;
// workers and the sandbox's programs are files of their own, because other processes start them by path.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const entryPoints = {
  sextant: 'src/cli/main.ts',
  'hash-worker': 'src/image/hash-worker.ts',
  'sandbox-gate': 'src/hook/sandbox-gate.ts',
};

const outdir = process.argv[2] ?? 'build';
const filesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const digestOf = (paths) => {
  const digest = createHash('sha256');
  for (const path of paths.sort()) digest.update(`${path}\0`).update(readFileSync(path));
  return digest.digest('hex');
};

const { outputFiles: programs } = await build({
  entryPoints,
  outdir,
  write: false,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: true,
  legalComments: 'none',
  define: { SEXTANT_SOURCE: JSON.stringify(digestOf([...filesBelow('src'), 'package-lock.json'])) },
  logLevel: 'warning',
  chunkNames: 'chunks/[name]-[hash]',
  // Some dependencies are CommonJS and ask for Node's own modules through require().
  banner: { js: "import { createRequire as _cr } from 'node:module'; const require = _cr(import.meta.url);" },
});

// What `sextant build` compiles sextant-node from: its TypeScript as one module, and its C files. Readable names: stack traces show them.
const native = 'src/node/native';
const { outputFiles: nodeProgram } = await build({
  entryPoints: { 'node-program/main': 'src/node/main.ts' },
  outdir,
  write: false,
  bundle: true,
  platform: 'neutral',
  format: 'esm',
  target: 'es2023',
  external: ['sextant:native'],
  define: {
    SEXTANT_NODE_VERSION: JSON.stringify(JSON.parse(readFileSync('package.json', 'utf8')).version),
    SEXTANT_NODE_SOURCE: JSON.stringify(
      digestOf([...filesBelow('src/node'), 'src/release/node-program/pins.lock.json']),
    ),
  },
  logLevel: 'warning',
});
// The hub page's style and scripts: classic scripts, because a page that is opened as a file may load no modules. The activation's renderer is
// the command line's own; of its libraries what a page never calls is left out.
const page = 'src/release/site/page';
const forBrowsers = {
  name: 'for-browsers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:crypto$/ }, () => ({ path: resolve(page, 'certificate.ts') }));
    // Schemas are never printed as JSON Schema here.
    onLoad({ filter: /zod\/v4\/core\/json-schema-processors\.js$/ }, () => ({
      contents: 'export const allProcessors = {}; export const toJSONSchema = undefined;',
    }));
    // Nor does any of them hold itself, which is what the memoizer is for.
    onLoad({ filter: /zod\/v4\/core\/memoizer\.js$/ }, () => ({
      contents: `export const memoizer = () => undefined;
        export const isRecursiveSchema = () => false, isBackEdge = () => false; export class $ZodCyclicError extends Error {}`,
    }));
    onLoad({ filter: /zod\/v4\/core\/to-json-schema\.js$/ }, () => ({
      contents: `const unused = () => () => { throw new Error('left out'); };
        export { unused as createToJSONSchemaMethod, unused as createStandardJSONSchemaMethod, unused as processSchema };
        export { unused as initializeContext, unused as extractDefs, unused as finalize };`,
    }));
  },
};
const { outputFiles: pageFiles } = await build({
  entryPoints: {
    'site/index': `${page}/index.ts`,
    'site/release': `${page}/release.ts`,
    'site/site': `${page}/site.css`,
  },
  outdir,
  write: false,
  bundle: true,
  minify: true,
  platform: 'browser',
  format: 'iife',
  target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
  legalComments: 'none',
  plugins: [forBrowsers],
  logLevel: 'warning',
});

const cFiles = readdirSync(native).map((name) => ({
  path: resolve(outdir, 'node-program', name),
  contents: readFileSync(join(native, name)),
}));
const outputFiles = [...programs, ...nodeProgram, ...pageFiles, ...cFiles];

// Only what changed is written, by rename: a program that runs from build/ meanwhile keeps what it has.
for (const { path, contents } of outputFiles) {
  if (existsSync(path) && Buffer.compare(readFileSync(path), contents) === 0) continue;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents, { mode: path.endsWith('/sextant.js') ? 0o755 : 0o644 });
  renameSync(temporary, path);
}
