import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { SourceContext } from '../../sources/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { sha256 } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { bytecode, ENGINE_OBJECTS, openEngine } from './engine.ts';
import { NATIVE_PARTS, nativeFiles, nativeFolder, nodeModule } from './native.ts';

export { PINS } from './pins.ts';

/** Raised whenever the same inputs would give another program. */
const PROGRAM_VERSION = 1;

const NAME = 'sextant-node';

/** sextant-node for a target: the path of one static executable in the cache, made there when it is missing. */
export async function nodeProgram(
  context: SourceContext,
  host: Architecture,
  target: Architecture,
): Promise<string> {
  return compileModule(context, host, target, { name: 'main.js', text: await nodeModule() });
}

/**
 * Compiles a module that imports only `sextant:native` into a static executable that runs it; the same inputs give the same bytes,
 * whatever machine compiles. `name` is what stack traces call the module.
 */
export async function compileModule(
  context: SourceContext,
  host: Architecture,
  target: Architecture,
  module: { readonly name: string; readonly text: string },
): Promise<string> {
  const { folder: engine, compiler } = await openEngine(context, host, target);
  const key = {
    kind: NAME,
    version: PROGRAM_VERSION,
    compiler: compiler.identity,
    native: await nativeFiles(),
    module: { ...module, text: sha256(module.text) },
  };
  const folder = await builtFolder(context, key, (made) =>
    inStep(context.progress, `${NAME} (${target})`, async () => {
      await writeFile(join(made, 'program.c'), await bytecode(context, host, module));
      const flags = ['-Wall', '-Wextra', '-Werror', '-isystem', engine];
      await compiler.compile(made, 'program.c', 'program.o', flags);
      for (const part of NATIVE_PARTS) {
        await compiler.compile(made, join(nativeFolder(), `${part}.c`), `${part}.o`, flags);
      }
      const objects = [
        'program.o',
        ...NATIVE_PARTS.map((part) => `${part}.o`),
        ...ENGINE_OBJECTS.map((name) => join(engine, name)),
      ];
      await compiler.link(made, objects, NAME);
      await chmod(join(made, NAME), 0o755);
    }),
  );
  return join(folder, NAME);
}
