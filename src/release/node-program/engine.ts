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
import { type Compiler, fetched, openCompiler } from './compiler.ts';
import { nativeFiles, nativeFolder } from './native.ts';
import { PINS } from './pins.ts';

/** Raised whenever the same archive and compiler would give other objects. */
const ENGINE_VERSION = 1;

/** QuickJS without its standard library: sextant-node brings its own system calls. */
const ENGINE_SOURCES = ['quickjs', 'libregexp', 'libunicode', 'cutils', 'dtoa'] as const;
export const ENGINE_OBJECTS = ENGINE_SOURCES.map((name) => `${name}.o`);
const HEADERS = ['quickjs.h'];

/** QuickJS compiled for one target: a folder of the cache with its objects and its header. */
export interface Engine {
  readonly folder: string;
  readonly compiler: Compiler;
}

export async function openEngine(
  context: SourceContext,
  host: Architecture,
  target: Architecture,
): Promise<Engine> {
  const compiler = await openCompiler(context, host, target);
  const { source, version } = PINS.quickjs;
  const key = {
    kind: 'quickjs',
    version: ENGINE_VERSION,
    source: source.sha256,
    compiler: compiler.identity,
  };
  const folder = await builtFolder(context, key, async (made) => {
    const pinned = {
      suite: PINS.target[target].suite,
      architecture: target,
      snapshot: PINS.target[target].snapshot,
    };
    const archive = await fetched(() => fetchPackage(source, pinned, context));
    await inStep(context.progress, `QuickJS ${version} (${target})`, () =>
      withTemporaryFolder(join(context.cache, 'work', 'quickjs'), async (work) => {
        await unpackArchive(archive, work, { name: `quickjs ${version}`, signal: context.signal });
        const unpacked = join(work, `quickjs-${version}`);
        const said = (await readFile(join(unpacked, 'VERSION'), 'utf8')).trim();
        for (const name of ENGINE_SOURCES) {
          await compiler.compile(unpacked, `${name}.c`, `${name}.o`, ['-w', `-DCONFIG_VERSION="${said}"`]);
        }
        for (const name of [...ENGINE_OBJECTS, ...HEADERS])
          await copyFile(join(unpacked, name), join(made, name));
      }),
    );
  });
  return { folder, compiler };
}

/** The program that turns a module into bytecode; it runs on the machine that builds. Bytecode is the same for both targets. */
export async function bytecodeCompiler(context: SourceContext, host: Architecture): Promise<string> {
  const { folder: engine, compiler } = await openEngine(context, host, host);
  const native = await nativeFiles();
  const key = {
    kind: 'quickjs-bytecode',
    compiler: compiler.identity,
    source: sha256(native['compile.c'] ?? ''),
  };
  const folder = await builtFolder(context, key, async (made) => {
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
