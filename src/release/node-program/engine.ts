import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackArchive } from '../../sources/archive.ts';
import { builtFolder } from '../../sources/built.ts';
import { fetchPackage } from '../../sources/debian/index.ts';
import type { SourceContext } from '../../sources/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { sha256, withTemporaryFolder } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { run } from '../../support/subprocess.ts';
import { type Compiler, compilerIdentity, fetched, openCompiler } from './compiler.ts';
import { nativeFiles, nativeFolder } from './native.ts';
import { PINS } from './pins.ts';

/** Raised whenever the same archive and compiler would give other objects. */
const ENGINE_VERSION = 2;

/** QuickJS without its standard library: sextant-node brings its own system calls. */
const ENGINE_SOURCES = ['quickjs', 'libregexp', 'libunicode', 'cutils', 'dtoa'] as const;
export const ENGINE_OBJECTS = ENGINE_SOURCES.map((name) => `${name}.o`);
const OTHERS = ['quickjs.h', 'LICENSE'];

/** Says which engine it is: a part of the cache keys of what is linked with it. */
export function engineIdentity(host: Architecture, target: Architecture) {
  return {
    version: ENGINE_VERSION,
    source: PINS.quickjs.source.sha256,
    compiler: compilerIdentity(host, target),
  };
}

/** QuickJS compiled for one target: a folder of the cache with its objects, its header and its licence. */
export async function engineFolder(
  context: SourceContext,
  compiler: Compiler,
  host: Architecture,
  target: Architecture,
): Promise<string> {
  const { source, version } = PINS.quickjs;
  return builtFolder(context, { kind: 'quickjs', ...engineIdentity(host, target) }, async (made) => {
    const { suite, snapshot } = PINS.target[target];
    const archive = await fetched(() =>
      fetchPackage(source, { suite, architecture: target, snapshot }, context),
    );
    await inStep(context.progress, `QuickJS ${version} (${target})`, () =>
      withTemporaryFolder(join(context.cache, 'work', 'quickjs'), async (work) => {
        await unpackArchive(archive, work, { name: `quickjs ${version}`, signal: context.signal });
        const unpacked = join(work, `quickjs-${version}`);
        const said = (await readFile(join(unpacked, 'VERSION'), 'utf8')).trim();
        for (const name of ENGINE_SOURCES) {
          await compiler.compile(unpacked, `${name}.c`, `${name}.o`, ['-w', `-DCONFIG_VERSION="${said}"`]);
        }
        for (const name of [...ENGINE_OBJECTS, ...OTHERS]) {
          await copyFile(join(unpacked, name), join(made, name));
        }
      }),
    );
  });
}

/** The program that turns a module into bytecode; it runs on the machine that builds. Bytecode is the same for both targets. */
async function bytecodeCompiler(context: SourceContext, host: Architecture): Promise<string> {
  const native = await nativeFiles();
  const key = {
    kind: 'quickjs-bytecode',
    engine: engineIdentity(host, host),
    source: sha256(native['compile.c'] ?? ''),
  };
  const folder = await builtFolder(context, key, async (made) => {
    const compiler = await openCompiler(context, host, host);
    const engine = await engineFolder(context, compiler, host, host);
    await compiler.compile(made, join(nativeFolder(), 'compile.c'), 'compile.o', ['-isystem', engine]);
    await compiler.link(made, ['compile.o', ...ENGINE_OBJECTS.map((name) => join(engine, name))], 'compile');
  });
  return join(folder, 'compile');
}

/** A module as C: an array `program` and its size. Errors of the module are `tool` errors that hold the compiler's words. */
export async function bytecode(
  context: SourceContext,
  host: Architecture,
  module: { readonly name: string; readonly text: string },
): Promise<Buffer> {
  const { stdout } = await run(await bytecodeCompiler(context, host), [module.name], {
    input: module.text,
    signal: context.signal,
  });
  return stdout;
}
