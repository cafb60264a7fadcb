import { chmod } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { LockedComponent } from '../../lock/types.ts';
import type { Component } from '../../recipe/schema.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256, withTemporaryFolder } from '../../support/files.ts';
import { fill } from '../../support/fill.ts';
import { inStep } from '../../support/progress.ts';
import { builtFolder } from '../built.ts';
import type { SourceContext } from '../types.ts';
import { type GoRun, goFolder, offlineEnvironment, runGo } from './go-command.ts';
import {
  type GoSource,
  loadPackages,
  localDigests,
  mainModule,
  mainSource,
  packagePath,
  prepareMain,
  readModFiles,
  subjectOf,
  tagFlags,
  writeModFiles,
} from './main-module.ts';
import { assembleProxy } from './module-files.ts';
import { storedModules } from './modules.ts';
import type { GoDetail } from './resolve.ts';
import { isToolchain, openGo } from './toolchain.ts';

/** Raised whenever the same lock would give another program. */
const BUILD_VERSION = 1;

const detailSchema = z.object({ goMod: z.string(), goSum: z.string(), goModText: z.string().optional() });

/**
 * Builds a program from the modules of the lock alone, without any network, and returns the folder that holds it under its name. The
 * same lock, toolchain and recipe give the same bytes in any folder: static (no cgo), trimmed paths, no version control stamp.
 *
 * Throws `input` when frozen and something is not in the cache, or when the recipe's own folders no longer fit the lock; `verification`
 * for a module that is not what go.sum says; `tool` without Go or with the compiler's last lines.
 */
export async function buildGoModule(
  component: Component,
  source: GoSource,
  locked: LockedComponent,
  architecture: Architecture,
  context: SourceContext,
): Promise<string> {
  const main = mainModule(component, source, context.recipeFolder);
  const subject = subjectOf(component, main);
  const detail = readDetail(locked, component.name);
  const modules = locked.inputs.filter((blob) => !isToolchain(blob));
  const ldflags = source.ldflags.map((flag) => fill(flag, { version: locked.version })).join(' ');
  const key = {
    kind: 'go-module',
    version: BUILD_VERSION,
    go: context.go,
    architecture,
    modules: modules.map((blob) => [blob.url, blob.sha256]),
    detail,
    module: main.kind === 'published' ? [main.path, main.version] : 'directory',
    local: await localDigests(main, source, component.name, context),
    source: [source.package, source.binary, source.replace, source.tags, ldflags],
  };
  return builtFolder(context, key, async (output) => {
    const program = await openGo(context, component.name, locked.inputs);
    const stored = await storedModules(modules, context, component.name);
    await withTemporaryFolder(join(goFolder(context, 'work'), component.name), async (work) => {
      const proxy = join(work, 'proxy');
      await assembleProxy(proxy, stored);
      const go: GoRun = {
        program,
        env: offlineEnvironment(context, architecture, { GOPROXY: pathToFileURL(proxy).href }),
        cwd: work,
        signal: context.signal,
        subject,
        component: component.name,
      };
      const folder = join(work, 'main');
      await prepareMain((await mainSource(main, go)).folder, folder, source, go, context);
      const changed = (file: string) =>
        new SextantError('input', `${subject}: ${file} is not what was locked`, {
          hint: `the recipe, an overlay or the directory has changed since: run \`sextant lock --update ${component.name}\``,
        });
      const { goMod: prepared } = await readModFiles(folder);
      if (sha256(prepared) !== detail.goMod) throw changed('go.mod');
      const goMod = detail.goModText ?? prepared;
      await writeModFiles(folder, { goMod });
      const inMain: GoRun = { ...go, cwd: folder };
      const packages = await loadPackages(source, inMain);
      const loaded = await readModFiles(folder);
      if (loaded.goMod !== goMod) throw changed('go.mod');
      if (sha256(loaded.goSum) !== detail.goSum) throw changed('go.sum');
      await inStep(context.progress, `${component.name}: go build (${architecture})`, async (step) => {
        let compiled = 0;
        const args = [
          'build',
          '-v',
          '-mod=readonly',
          '-trimpath',
          '-buildvcs=false',
          ...tagFlags(source),
          `-ldflags=${ldflags}`,
          '-o',
          resolve(output, source.binary),
          packagePath(source),
        ];
        await runGo(args, {
          ...inMain,
          onLine: (line) => {
            compiled += 1;
            step.update({ note: `${compiled} of at most ${packages} packages: ${line}` });
          },
        });
      });
    });
    await chmod(join(output, source.binary), 0o755); // The linker's mode depends on the umask.
  });
}

function readDetail(locked: LockedComponent, component: string): GoDetail {
  const parsed = detailSchema.safeParse(locked.detail);
  if (parsed.success) {
    const { goMod, goSum, goModText } = parsed.data;
    return { goMod, goSum, ...(goModText === undefined ? {} : { goModText }) };
  }
  throw new SextantError('input', `the lock does not say how ${component} was resolved`, {
    hint: `run \`sextant lock --update ${component}\``,
  });
}
