import { chmod, copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkVersion, runHook } from '../hook/index.ts';
import type { LockedArchitecture, LockedBlob } from '../lock/types.ts';
import { builtFolder } from '../sources/built.ts';
import type { Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { withTemporaryFolder } from '../support/files.ts';
import { inStep } from '../support/progress.ts';
import { VERSION } from '../support/version.ts';
import { hookAnswers } from './hook-answers.ts';
import { findPlugin } from './plugin.ts';
import type { Session, Tools } from './session.ts';

interface HookStepRequest {
  readonly session: Session;
  readonly tools: Tools;
  readonly architecture: Architecture;
  /** Resolved version of the distribution. */
  readonly version: string;
  readonly folders: ReadonlyMap<string, string>;
  readonly downloads: readonly LockedBlob[];
  /** Where the build log goes; replaced. */
  readonly logFile: string;
}

/** What the provider's hook laid down, kept in the cache. */
export interface HookOutcome {
  readonly upper: string;
  readonly removed: readonly string[];
}

/** Runs the provider's hook for real, asking `record` for addresses that are not known; for locking. */
export async function recordHook(
  request: HookStepRequest,
  record: (url: string) => Promise<LockedBlob>,
): Promise<void> {
  await withTemporaryFolder(join(request.session.sources.cache, 'work', 'hook'), (folder) =>
    runIn(folder, request, record),
  );
}

/**
 * What the hook lays down from a lock's bytes. The result depends on the lock alone, so it is kept under its digest and the hook
 * runs once for each lock and architecture.
 */
export async function hookOutcome(
  request: HookStepRequest,
  locked: LockedArchitecture,
): Promise<HookOutcome> {
  const { session, architecture, version } = request;
  const { recipe } = session;
  // Folders of the cache are named by what they were made from.
  const made = (component: string) => basename(request.folders.get(component) ?? '');
  const key = {
    made: 'hook',
    sextant: VERSION,
    architecture,
    version,
    provider: recipe.provider,
    distribution: recipe.distribution.name,
    environment: recipe.hook.environment,
    answers: recipe.hook.answers,
    root: basename(request.tools.hookRoot),
    plugin: made(recipe.provider.component),
    served: recipe.hook.answers.map(({ component }) => made(component)),
    downloads: locked.hookDownloads.map(({ url, sha256 }) => [url, sha256]),
  };
  const folder = await builtFolder(session.sources, key, async (building) => {
    const result = await runIn(building, request);
    await writeFile(join(building, 'removed.json'), JSON.stringify(result.removed));
    await writeFile(join(building, 'build.log'), await readFile(request.logFile));
  });
  await mkdir(join(request.logFile, '..'), { recursive: true });
  await writeFile(request.logFile, await readFile(join(folder, 'build.log')));
  const removed = JSON.parse(await readFile(join(folder, 'removed.json'), 'utf8')) as string[];
  return { upper: join(folder, 'upper'), removed };
}

async function runIn(
  folder: string,
  request: HookStepRequest,
  record?: (url: string) => Promise<LockedBlob>,
) {
  const { session, tools, architecture, version, folders } = request;
  const { recipe, sources } = session;
  const plugin = await findPlugin(recipe, folders);
  const emulator = tools.emulators[architecture];
  await mkdir(join(request.logFile, '..'), { recursive: true });
  return inStep(
    sources.progress,
    `hook of ${basename(plugin)} (${architecture})`,
    async () => {
      const work = join(folder, 'plugin');
      const layers = join(folder, 'work');
      await Promise.all([work, layers].map((path) => mkdir(path, { recursive: true })));
      // Kairos knows plug-ins by their file name; an archive may call the program otherwise.
      const named = join(work, recipe.provider.plugin);
      await copyFile(plugin, named);
      await chmod(named, 0o755);
      const result = await runHook({
        plugin: named,
        architecture,
        root: tools.hookRoot,
        ...(emulator === undefined ? {} : { emulator }),
        payload: {
          provider: recipe.distribution.name,
          version,
          logLevel: 'info',
          config: recipe.provider.config,
          family: recipe.provider.family,
        },
        environment: recipe.hook.environment,
        timeoutSeconds: recipe.hook.timeoutSeconds,
        answer: hookAnswers({
          recipe,
          version,
          architecture,
          folders,
          store: sources.store,
          locked: request.downloads,
          ...(record === undefined ? {} : { record }),
        }),
        workFolder: layers,
        logFile: request.logFile,
        context: sources,
      });
      if (!checkVersion(recipe.distribution.name, result.version, version)) {
        throw new SextantError(
          'verification',
          `the hook installed ${recipe.distribution.name} ${result.version}, the recipe says ${version}`,
          { hint: `read ${request.logFile}, then mend distribution.version or the provider's version` },
        );
      }
      await rename(result.upper, join(folder, 'upper'));
      return result;
    },
    (result) => `${recipe.distribution.name} ${result.version}, ${result.urls.length} downloads`,
  );
}
