import { chmod, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { SourceContext } from '../../sources/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { sha256 } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { openCompiler } from './compiler.ts';
import { bytecode, ENGINE_OBJECTS, engineFolder, engineIdentity } from './engine.ts';
import { NATIVE_PARTS, nativeFiles, nativeFolder, nodeModule } from './native.ts';

export { PINS } from './pins.ts';

/** Raised whenever the same inputs would give another program. */
const PROGRAM_VERSION = 2;

const NAME = 'sextant-node';
const LICENSES = 'LICENSES';

/** One static executable in the cache, and the notices that its parts want to be handed on with it. */
export interface CompiledProgram {
  readonly file: string;
  readonly licenses: string;
}

/** sextant-node for a target, made when it is not in the cache. */
export async function nodeProgram(
  context: SourceContext,
  host: Architecture,
  target: Architecture,
): Promise<CompiledProgram> {
  const text = await nodeModule();
  const file = await compileModule(context, host, target, { name: 'main.js', text });
  return { file, licenses: join(dirname(file), LICENSES) };
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
  const key = {
    kind: NAME,
    version: PROGRAM_VERSION,
    engine: engineIdentity(host, target),
    native: await nativeFiles(),
    module: { ...module, text: sha256(module.text) },
  };
  // A program that is there needs neither compiler nor engine.
  const folder = await builtFolder(context, key, async (made) => {
    const compiler = await openCompiler(context, host, target);
    const engine = await engineFolder(context, compiler, host, target);
    await inStep(context.progress, `${NAME} (${target})`, async () => {
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
      await writeFile(join(made, LICENSES), await licenses(engine, compiler.libraryLicense));
    });
  });
  return join(folder, NAME);
}

/** What QuickJS and musl are licensed under, as they word it: MIT asks that the notice goes where the program goes. */
async function licenses(engine: string, library: string): Promise<string> {
  const notices = await Promise.all(
    [['QuickJS', join(engine, 'LICENSE')] as const, ['the C library musl', library] as const].map(
      async ([name, file]) => `sextant-node contains ${name}:\n\n${(await readFile(file, 'utf8')).trim()}\n`,
    ),
  );
  return notices.join('\n\n');
}
