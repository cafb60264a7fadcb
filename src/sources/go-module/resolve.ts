import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LockedBlob, LockedComponent } from '../../lock/types.ts';
import type { Component } from '../../recipe/schema.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256, withTemporaryFolder } from '../../support/files.ts';
import type { SourceContext } from '../types.ts';
import { type GoNetwork, type GoRun, goFolder, goNetwork, offlineEnvironment } from './go-command.ts';
import {
  type GoSource,
  loadPackages,
  type MainModule,
  mainModule,
  mainSource,
  prepareMain,
  readModFiles,
  subjectOf,
  writeModFiles,
} from './main-module.ts';
import { listModuleFiles, moduleAddress, parseModuleAddress } from './module-files.ts';
import { downloadFolder, takeIntoStore } from './modules.ts';
import { openGo, pinToolchain } from './toolchain.ts';

/** What a lock keeps of a Go build besides its modules; plain JSON. */
export interface GoDetail {
  /** SHA-256 of go.mod as the module and the recipe make it. */
  readonly goMod: string;
  /** SHA-256 of the complete go.sum that the program is built with. */
  readonly goSum: string;
  /** The complete go.mod, where the go command had to add to it: which versions it chose can change with time. */
  readonly goModText?: string;
}

/**
 * Pins the modules that a program needs for one architecture: zip and go.mod of those that provide its packages, go.mod of the others
 * that decide the versions. The packages are first loaded with the network and the checksum database, then once more into an empty
 * module cache from what was downloaded alone: what that asks for is exactly what the lock has to hold.
 */
export async function resolveGoModule(
  component: Component,
  source: GoSource,
  architecture: Architecture,
  context: SourceContext,
): Promise<LockedComponent> {
  const main = mainModule(component, source, context.recipeFolder);
  const toolchain = await pinToolchain(context, component.name);
  const program = await openGo(context, component.name, toolchain);
  const network = await goNetwork(context);
  return withTemporaryFolder(join(goFolder(context, 'work'), component.name), async (work) => {
    const offline = offlineEnvironment(context, architecture);
    const go: GoRun = {
      program,
      env: { ...offline, ...network.variables },
      cwd: work,
      signal: context.signal,
      subject: subjectOf(component, main),
      component: component.name,
    };
    const folder = join(work, 'main');
    const { folder: from, version } = await mainSource(main, go);
    const shipped = await readModFiles(from);
    await prepareMain(from, folder, source, go, context);
    const prepared = await readModFiles(folder);
    await loadPackages(source, { ...go, cwd: folder });
    const completed = await readModFiles(folder);

    const moduleCache = join(work, 'mod');
    const alone: GoRun = {
      ...go,
      env: {
        ...offline,
        GOMODCACHE: moduleCache,
        GOPROXY: pathToFileURL(downloadFolder(goFolder(context, 'mod'))).href,
      },
    };
    await mainSource(main, alone);
    await writeModFiles(folder, { goSum: prepared.goSum });
    await loadPackages(source, { ...alone, cwd: folder });
    const final = await readModFiles(folder);
    if (final.goMod !== completed.goMod) {
      throw new SextantError('input', `${go.subject}: go.mod does not settle`, {
        hint: 'run `go mod tidy` in the module, or take another version of it',
      });
    }
    const files = await listModuleFiles(downloadFolder(moduleCache));
    const taken = await takeIntoStore(files, downloadFolder(moduleCache), context);
    const detail: GoDetail = {
      goMod: sha256(prepared.goMod),
      goSum: sha256(final.goSum),
      ...(final.goMod === prepared.goMod ? {} : { goModText: final.goMod }),
    };
    const modules = taken.map((item): LockedBlob => {
      const url = moduleAddress(item.file);
      return { url, size: item.size, sha256: item.sha256, ...authority(url, shipped.goSum, main, network) };
    });
    return {
      name: component.name,
      type: 'go-module',
      version,
      inputs: [...modules, ...toolchain],
      detail: { ...detail },
    };
  });
}

/** What the go command held a module's file against: the go.sum that came with the main module, else the checksum database. */
function authority(
  url: string,
  shippedSum: string,
  main: MainModule,
  network: GoNetwork,
): Pick<LockedBlob, 'checkedAgainst'> {
  const file = parseModuleAddress(url);
  if (!file) return {};
  const line = `${file.path} ${file.version}${file.kind === 'mod' ? '/go.mod' : ''} h1:`;
  if (`\n${shippedSum}`.includes(`\n${line}`)) {
    const owner = main.kind === 'published' ? `${main.path}@${main.version}` : 'the recipe’s module';
    return { checkedAgainst: `go.sum of ${owner}` };
  }
  return network.isChecked(file.path) ? { checkedAgainst: 'Go checksum database' } : {};
}
