import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checksumDefaults } from '../hook/distributions.ts';
import type { Lock, LockedArchitecture, LockedBlob, LockedComponent, LockedPackages } from '../lock/types.ts';
import { recipeDigest } from '../recipe/load.ts';
import type { Recipe } from '../recipe/schema.ts';
import { findChecksum } from '../sources/checksums.ts';
import { resolvePackages } from '../sources/debian/index.ts';
import { resolveDistributionVersion } from '../sources/github-release/distribution.ts';
import { lastPart } from '../sources/mirrors.ts';
import { ARCHITECTURES, type Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { canonicalJson } from '../support/files.ts';
import { fill } from '../support/fill.ts';
import { inStep } from '../support/progress.ts';
import { definitionDigest, materializeComponents, resolveComponent } from './components.ts';
import { addressWords, sameAddress } from './hook-answers.ts';
import { recordHook } from './hook-step.ts';
import { openTools, type Session, TOOL_PACKAGES } from './session.ts';

interface LockRequest {
  readonly session: Session;
  readonly architectures: readonly Architecture[];
  /** What an earlier lock says; its entries are kept unless named in `update`. */
  readonly previous?: Lock;
  /** 'all', or names of components to resolve again. */
  readonly update: 'all' | readonly string[];
  /** Resolve the packages of the tools again even where those of the earlier lock are what the recipe needs. */
  readonly updateTools?: boolean;
}

/**
 * Pins everything that enters a build: resolves versions, fetches, holds against upstream's checksums, runs the provider's hook once
 * to learn what it downloads. Entries of an earlier lock whose definition in the recipe has not changed are kept as they are.
 */
export async function lockRecipe(request: LockRequest): Promise<Lock> {
  const { previous, update } = request;
  const { sources } = request.session;
  const { recipe: asWritten } = request.session;
  const keep = update === 'all' ? undefined : previous;
  const version = await inStep(
    sources.progress,
    `version of ${asWritten.distribution.name}`,
    () =>
      resolveDistributionVersion(distributionRepository(asWritten), asWritten.distribution.version, sources),
    (resolved) => resolved,
  );
  const recipe = withDistributionVersion(asWritten, version);
  const session = { ...request.session, recipe };
  const tools =
    keep !== undefined && !request.updateTools && fits(keep, session, request.architectures)
      ? keep.tools
      : await lockTools(session, request.architectures);
  const opened = await openTools(session, tools, request.architectures);
  const architectures: Partial<Record<Architecture, LockedArchitecture>> = {};
  for (const architecture of request.architectures) {
    const before = keep?.architectures[architecture];
    const components = await Promise.all(
      recipe.components.map(async (component): Promise<LockedComponent> => {
        const { name } = component;
        const kept = before?.components.find((entry) => entry.name === name);
        const again =
          update === 'all' || update.includes(name) || kept?.definition !== definitionDigest(component);
        return kept === undefined || again ? resolveComponent(session, name, architecture) : kept;
      }),
    );
    const asked = new Set([
      recipe.provider.component,
      ...recipe.hook.answers.map(({ component }) => component),
    ]);
    const folders = await materializeComponents(
      session,
      components.filter(({ name }) => asked.has(name)),
      architecture,
    );
    const hookDownloads: LockedBlob[] = [];
    await recordHook(
      {
        session,
        tools: opened,
        architecture,
        version,
        folders,
        downloads: [],
        logFile: join(sources.cache, 'logs', `lock-${recipe.name}-${version}-${architecture}.log`),
      },
      async (url) => {
        const blob = await recordDownload(session, url, version, architecture);
        hookDownloads.push(blob);
        return blob;
      },
    );
    architectures[architecture] = { components, hookDownloads };
  }
  return {
    lockVersion: 1,
    recipe: recipeDigest(asWritten),
    distribution: { name: recipe.distribution.name, version },
    tools,
    architectures,
  };
}

/** The recipe with components whose version is "distribution" in the version that the distribution was resolved to. */
export function withDistributionVersion(recipe: Recipe, version: string): Recipe {
  const components = recipe.components.map((component) => {
    const { source } = component;
    const follows =
      (source.type === 'github-release' || source.type === 'url') && source.version === 'distribution';
    return follows ? { ...component, source: { ...source, version } } : component;
  });
  return { ...recipe, components };
}

/** Where a distribution's releases are; versions that are exact need none. */
export function distributionRepository({ distribution }: Recipe): string {
  const known: Readonly<Record<string, string>> = { k3s: 'k3s-io/k3s', k0s: 'k0sproject/k0s' };
  return distribution.repository ?? known[distribution.name] ?? distribution.name;
}

/** Whether the tools of an earlier lock are what the recipe needs now. */
function fits({ tools }: Lock, { recipe, host }: Session, architectures: readonly Architecture[]): boolean {
  const needsGo = recipe.components.some(({ source }) => source.type === 'go-module');
  const needsEmulator = architectures.some((architecture) => architecture !== host);
  const root = tools.hookRoot[host];
  return (
    tools.erofs[host] !== undefined &&
    (!needsEmulator || tools.qemu[host] !== undefined) &&
    (!needsGo || tools.go !== undefined) &&
    root?.suite === recipe.hook.rootSuite &&
    canonicalJson(root.packages) === canonicalJson(recipe.hook.rootPackages)
  );
}

/** Tools are locked for both kinds of build machine, so that a lock made on one builds on the other. */
async function lockTools(session: Session, architectures: readonly Architecture[]): Promise<Lock['tools']> {
  const { recipe, sources } = session;
  const { rootSuite, rootPackages } = recipe.hook;
  const forHosts = async (
    name: string,
    packages: readonly string[],
    suite: string,
    hosts: readonly Architecture[],
  ) => {
    const entries = await inStep(sources.progress, `lock ${name}`, () =>
      Promise.all(
        hosts.map(
          async (host): Promise<[Architecture, LockedPackages]> => [
            host,
            await resolvePackages(packages, suite, host, sources),
          ],
        ),
      ),
    );
    return Object.fromEntries(entries) as Partial<Record<Architecture, LockedPackages>>;
  };
  const { suite } = TOOL_PACKAGES;
  const needsEmulator = ARCHITECTURES.filter((host) =>
    architectures.some((architecture) => architecture !== host),
  );
  const needsGo = recipe.components.some(({ source }) => source.type === 'go-module');
  const erofs = await forHosts('mkfs.erofs', TOOL_PACKAGES.erofs, suite, ARCHITECTURES);
  const qemu = await forHosts('emulator', TOOL_PACKAGES.qemu, suite, needsEmulator);
  const hookRoot = await forHosts('root of the hook', rootPackages, rootSuite, ARCHITECTURES);
  return { ...(needsGo ? { go: { version: sources.go } } : {}), erofs, qemu, hookRoot };
}

/** Fetches what the hook asked for and holds it against the checksum file that its publisher offers, where one is known. */
async function recordDownload(
  session: Session,
  url: string,
  version: string,
  architecture: Architecture,
): Promise<LockedBlob> {
  const { recipe, sources } = session;
  const step = sources.progress.step(`hook asks for ${url}`);
  try {
    const { blob } = await sources.store.discover(url, step);
    const words = addressWords(version, architecture);
    const known = (recipe.hook.checksums ?? checksumDefaults(recipe.distribution.name)).find(
      (entry) => sameAddress(fill(entry.url, words)) === sameAddress(url),
    );
    if (known === undefined) {
      step.done('recorded; no published checksum is known for it');
      return blob;
    }
    const checksums = fill(known.checksums, words);
    const sums = await sources.store.discover(checksums);
    const expected = findChecksum(await readFile(sums.path, 'utf8'), lastPart(url), checksums);
    if (expected !== blob.sha256) {
      throw new SextantError(
        'verification',
        `${url}: SHA-256 is ${blob.sha256}, ${checksums} says ${expected}`,
        {
          hint: 'upstream’s file and its checksum do not agree; try later, and do not use the file',
        },
      );
    }
    step.done(`agrees with ${checksums}`);
    return { ...blob, checkedAgainst: checksums };
  } catch (error) {
    step.fail();
    throw error;
  }
}
