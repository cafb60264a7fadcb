import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Lock, LockedPackages } from '../lock/types.ts';
import type { LoadedRecipe } from '../recipe/load.ts';
import { materializePackages, toolCommand } from '../sources/debian/index.ts';
import { openStore } from '../sources/store.ts';
import type { SourceContext } from '../sources/types.ts';
import { ARCHITECTURE_NAMES, type Architecture, hostArchitecture } from '../support/architecture.ts';
import type { Context } from '../support/context.ts';
import { SextantError } from '../support/errors.ts';
import { inStep } from '../support/progress.ts';
import { type CompiledProgram, nodeProgram } from './node-program/index.ts';

/** A recipe opened for work on this machine. */
export interface Session extends LoadedRecipe {
  readonly sources: SourceContext;
  /** Architecture of the machine that builds. */
  readonly host: Architecture;
}

/** Opens the store for a recipe. `go` is the exact toolchain of the lock, or the machine's when there is no lock yet. */
export async function openSession(
  loaded: LoadedRecipe,
  context: Context,
  options: { readonly frozen: boolean; readonly go: string },
): Promise<Session> {
  const host = hostArchitecture();
  if (host === undefined) {
    throw new SextantError(
      'usage',
      `sextant builds on amd64 and arm64 machines; this one is ${process.arch}`,
    );
  }
  const { mirrors } = loaded.recipe;
  const store = await openStore({ ...context, mirrors, frozen: options.frozen });
  return {
    ...loaded,
    host,
    sources: {
      ...context,
      store,
      frozen: options.frozen,
      mirrors,
      recipeFolder: loaded.folder,
      go: options.go,
    },
  };
}

/** The tools a lock pins, unpacked for this machine. */
export interface Tools {
  /** Command that runs mkfs.erofs. */
  readonly mkfs: readonly string[];
  /** Version text of erofs-utils. */
  readonly erofsVersion: string;
  /** Root file system of the hook's sandbox. */
  readonly hookRoot: string;
  /** Command that runs getcap(8): the one of that root, else this machine's; empty where neither has it. */
  readonly getcap: readonly string[];
  /** sextant-node for each architecture that is built. */
  readonly nodePrograms: Readonly<Partial<Record<Architecture, CompiledProgram>>>;
  /** User mode emulator's file for each architecture that this machine cannot run. */
  readonly emulators: Readonly<Partial<Record<Architecture, string>>>;
}

/** Debian packages that hold each tool. */
export const TOOL_PACKAGES = { suite: 'trixie', erofs: ['erofs-utils'], qemu: ['qemu-user'] } as const;

/** Fetches and unpacks what builds need besides the components. A lock made elsewhere may lack this machine's architecture. */
export async function openTools(
  session: Session,
  locked: Lock['tools'],
  architectures: readonly Architecture[],
): Promise<Tools> {
  const { host, sources } = session;
  const open = (name: keyof Lock['tools'] & ('erofs' | 'qemu' | 'hookRoot')) => {
    const packages: LockedPackages | undefined = locked[name][host];
    if (packages === undefined) {
      throw new SextantError('input', `${session.file}: its lock has no ${name} for ${host} machines`, {
        hint: 'run `sextant lock --update` on this machine',
      });
    }
    return inStep(
      sources.progress,
      `tools: ${packages.packages.length > 1 ? name : packages.packages[0]}`,
      () => materializePackages(packages, sources),
    );
  };
  const foreign = architectures.filter((architecture) => architecture !== host);
  const [erofs, hookRoot, qemu, programs] = await Promise.all([
    open('erofs'),
    open('hookRoot'),
    foreign.length > 0 ? open('qemu') : undefined,
    Promise.all(architectures.map((architecture) => nodeProgram(sources, host, architecture))),
  ]);
  const emulators: Partial<Record<Architecture, string>> = {};
  for (const architecture of foreign)
    emulators[architecture] = `${qemu}/usr/bin/${ARCHITECTURE_NAMES[architecture].qemu}`;
  return {
    mkfs: toolCommand(erofs, 'usr/bin/mkfs.erofs'),
    erofsVersion: erofsVersion(locked, host),
    hookRoot,
    getcap: getcapCommand(hookRoot),
    nodePrograms: Object.fromEntries(architectures.map((architecture, at) => [architecture, programs[at]])),
    emulators,
  };
}

function getcapCommand(hookRoot: string): readonly string[] {
  try {
    return toolCommand(hookRoot, 'getcap');
  } catch {
    // Users without rights often lack the folders for administrators in their PATH.
    const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
    const found = folders.map((folder) => join(folder, 'getcap')).find((path) => existsSync(path));
    return found === undefined ? [] : [found];
  }
}

/** "1.8.6-1" of erofs-utils in a lock. */
function erofsVersion(locked: Lock['tools'], host: Architecture): string {
  const url = locked.erofs[host]?.inputs.find((input) => /\/erofs-utils_[^/]*$/.test(input.url))?.url ?? '';
  return decodeURIComponent(url.split('_').at(-2) ?? 'unknown');
}
