import type { Lock, LockedBlob, LockedComponent, LockedPackages } from '../../lock/types.ts';
import type { Recipe } from '../../recipe/schema.ts';
import { fetchPackage } from '../../sources/debian/index.ts';
import { parseModuleAddress, storedModules } from '../../sources/go-module/index.ts';
import { fetchContent } from '../../sources/oci/index.ts';
import type { SourceContext } from '../../sources/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { inStep } from '../../support/progress.ts';
import { PINS } from '../node-program/index.ts';

/** A locked file, and where its bytes are on this machine. */
export interface Fetched {
  readonly blob: LockedBlob;
  readonly path: string;
}

/**
 * Every file that building a lock's releases asks the network for, fetched into the cache and checked: components, the hook's downloads, the
 * tools for machines of `hosts`, and what compiles sextant-node. Local files are no downloads. One entry for each address.
 */
export async function fetchInputs(
  recipe: Recipe,
  lock: Lock,
  hosts: readonly Architecture[],
  context: SourceContext,
): Promise<Fetched[]> {
  const found = new Map<string, Fetched>();
  const add = async (name: string, work: () => Promise<readonly Fetched[]>) => {
    const fetched = await inStep(context.progress, name, work, (files) => `${files.length} files`);
    for (const each of fetched) found.set(each.blob.url, each);
  };
  for (const architecture of recipe.architectures) {
    const held = lock.architectures[architecture];
    for (const component of held?.components ?? []) {
      if (component.type === 'file') continue;
      await add(`${component.name} (${architecture})`, () =>
        componentFiles(component, architecture, context),
      );
    }
    await add(`downloads of the hook (${architecture})`, () =>
      all(held?.hookDownloads ?? [], (blob) => context.store.fetch(blob)),
    );
  }
  for (const host of hosts) {
    const { erofs, qemu, hookRoot } = lock.tools;
    const compiling = [
      PINS.compiler[host],
      PINS.target[host],
      ...recipe.architectures.map((each) => PINS.target[each]),
    ];
    for (const packages of [erofs[host], qemu[host], hookRoot[host], ...compiling]) {
      if (packages === undefined) continue;
      await add(`packages: ${named(packages)} (${host})`, () => packageFiles(packages, host, context));
    }
  }
  await add('QuickJS', () =>
    all([PINS.quickjs.source], (blob) => fetchPackage(blob, pinnedTo(PINS.target.amd64, 'amd64'), context)),
  );
  return [...found.values()].sort((a, b) => (a.blob.url < b.blob.url ? -1 : 1));
}

function named({ packages, inputs }: LockedPackages): string {
  return packages.length <= 4 ? packages.join(', ') : `${inputs.length} of them`;
}

function pinnedTo({ suite, snapshot }: LockedPackages, architecture: Architecture) {
  return { suite, architecture, snapshot };
}

async function componentFiles(
  component: LockedComponent,
  architecture: Architecture,
  context: SourceContext,
): Promise<readonly Fetched[]> {
  const { inputs, name, type, detail } = component;
  if (type === 'go-module') {
    const modules = inputs.filter(({ url }) => parseModuleAddress(url) !== undefined);
    const stored = await storedModules(modules, context, name);
    return stored.map(({ blob, stored: path }) => ({ blob, path }));
  }
  if (type === 'debian') {
    const { suite, snapshot } = detail ?? {};
    const pinned = {
      suite: typeof suite === 'string' ? suite : 'trixie',
      architecture,
      component: name,
      ...(typeof snapshot === 'string' ? { snapshot } : {}),
    };
    return all(inputs, (blob) => fetchPackage(blob, pinned, context));
  }
  if (type === 'oci') return all(inputs, (blob) => fetchContent(name, blob, context));
  return all(inputs, (blob) => context.store.fetch(blob));
}

function packageFiles(packages: LockedPackages, host: Architecture, context: SourceContext) {
  return all(packages.inputs, (blob) => fetchPackage(blob, pinnedTo(packages, host), context));
}

/** The store limits how many run at once. */
async function all(
  blobs: readonly LockedBlob[],
  fetch: (blob: LockedBlob) => Promise<string>,
): Promise<readonly Fetched[]> {
  const ended = await Promise.allSettled(blobs.map(async (blob) => ({ blob, path: await fetch(blob) })));
  return ended.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}
