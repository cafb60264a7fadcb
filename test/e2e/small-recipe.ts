import { chmod, constants, copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { stringify } from 'yaml';
import type { Lock, LockedPackages } from '../../src/lock/types.ts';
import { nodeProgram, PINS } from '../../src/release/node-program/index.ts';
import { type Architecture, hostArchitecture } from '../../src/support/architecture.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { sha256 } from '../../src/support/files.ts';
import { packageFolder } from '../../src/support/package.ts';
import { buildPlugin } from '../hook/hooks.ts';
import { compilingContext } from '../node/compiled.ts';

export const VERSION = 'v1.36.3+k3s1';
const HOST: Architecture = hostArchitecture() ?? 'amd64';

// A root with a shell, coreutils and nothing else: enough for the test plug-in, unpacked in a second.
const ROOT = ['dash', 'coreutils'];
const ROOT_CLOSURE = new Set([
  ...ROOT,
  'base-files',
  'gcc-14-base',
  'libacl1',
  'libattr1',
  'libc6',
  'libcap2',
  'libgcc-s1',
  'libgmp10',
  'libpcre2-8-0',
  'libselinux1',
  'libssl3t64',
  'libsystemd0',
  'libzstd1',
  'zlib1g',
]);

export interface SmallRecipe {
  /** What the provider of test/hook/plugin does. */
  readonly hook?: Readonly<Record<string, unknown>>;
  /** Components besides the provider. */
  readonly components?: readonly Readonly<Record<string, unknown>>[];
  /** The root that real recipes have, instead of the small one. */
  readonly fullRoot?: boolean;
  /** Further keys of the recipe, or other values for them. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/**
 * Lays down a small recipe: the provider of test/hook/plugin and what is asked for, for this machine's architecture. Its lock holds the
 * tools that recipes/lab.lock.json pins and nothing else yet, so that no package index is asked for.
 */
export async function makeSmallRecipe(folder: string, recipe: SmallRecipe = {}): Promise<void> {
  await mkdir(folder, { recursive: true });
  plugin ??= compilePlugin();
  await copyFile(await plugin, join(folder, 'agent-provider-test'));
  await chmod(join(folder, 'agent-provider-test'), 0o755);
  await writeRecipe(folder, recipe);
  await writeFile(join(folder, 'sextant.lock.json'), JSON.stringify(await seedLock(recipe.fullRoot)));
}

/** A lock that holds the tools and fits no recipe. */
async function seedLock(fullRoot = false): Promise<Lock> {
  const lab = JSON.parse(await readFile('recipes/lab.lock.json', 'utf8')) as Lock;
  const { erofs, hookRoot } = lab.tools;
  return {
    lockVersion: 1,
    recipe: '0'.repeat(64),
    distribution: { name: 'k3s', version: VERSION },
    tools: {
      erofs,
      qemu: {},
      hookRoot: fullRoot
        ? hookRoot
        : Object.fromEntries(
            Object.entries(hookRoot).map(([architecture, packages]) => [architecture, smallRoot(packages)]),
          ),
    },
    architectures: {},
  };
}

/** Writes the recipe alone, for a change of one that is there. */
export async function writeRecipe(
  folder: string,
  { hook, components = [], more, fullRoot }: SmallRecipe,
): Promise<void> {
  const value = {
    name: 'small',
    distribution: { name: 'k3s', version: VERSION, standin: true },
    provider: {
      component: 'provider',
      plugin: 'agent-provider-test',
      config: JSON.stringify(hook ?? { shell: 'echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s' }),
    },
    components: [
      {
        name: 'provider',
        standin: true,
        source: { type: 'file', path: 'agent-provider-test' },
        files: [{ from: 'agent-provider-test', to: '/usr/lib/kairos/providers/agent-provider-test' }],
      },
      ...components,
    ],
    architectures: [HOST],
    ...more,
    hook: { ...(fullRoot ? {} : { rootPackages: ROOT }), ...(more?.hook as object | undefined) },
  };
  await writeFile(join(folder, 'sextant.yaml'), stringify(value));
}

/** Where small recipes download from: a host that is nowhere, so that a mirror has to stand for it. */
export const UPSTREAM = 'http://releases.test';
export const mirroredTo = (url: string) => [{ from: `${UPSTREAM}/`, to: `${url}/` }];

/** A component that is one downloaded file. */
export const downloaded = (name: string) => ({
  name,
  standin: true,
  source: { type: 'url', url: `${UPSTREAM}/${name}`, version: '1.0' },
  files: [{ from: name, to: `/usr/bin/${name}`, mode: '0755' }],
});

/**
 * The packages that a small recipe's tools come from, with or without those that compile sextant-node: address -> file in the shared
 * cache. Fetches what is not there yet.
 */
export async function pinnedPackages(which: 'all' | 'tools' = 'all'): Promise<Map<string, string>> {
  const { erofs, hookRoot } = (await seedLock()).tools;
  const { store } = compilingContext();
  const compiling = which === 'all' ? [PINS.compiler[HOST], PINS.target[HOST]] : [];
  const inputs = [
    ...(which === 'all' ? [PINS.quickjs.source] : []),
    ...[erofs[HOST], hookRoot[HOST], ...compiling].flatMap((packages) => packages?.inputs ?? []),
  ];
  return new Map(await Promise.all(inputs.map(async (blob) => [blob.url, await store.fetch(blob)] as const)));
}

/** A cache that holds those packages, sextant-node in the place of what compiles it, and nothing else. */
export async function makeCache(cache: string): Promise<void> {
  const program = dirname((await nodeProgram(compilingContext(), HOST, HOST)).file);
  await cp(program, join(cache, relative(cacheFolder(), program)), { recursive: true });
  for (const file of (await pinnedPackages('tools')).values()) {
    const to = join(cache, relative(cacheFolder(), file));
    await mkdir(dirname(to), { recursive: true });
    await copyFile(file, to, constants.COPYFILE_FICLONE);
  }
}

/** Every file of a release: text as it is, where that tells what differs, and digests. */
export async function releaseFiles(folder: string): Promise<Record<string, string>> {
  const entries = await Promise.all(
    (await readdir(folder)).sort().map(async (name) => {
      const bytes = await readFile(join(folder, name));
      return [name, name.endsWith('.json') ? bytes.toString() : sha256(bytes)] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function smallRoot({ inputs, ...packages }: LockedPackages): LockedPackages {
  const name = (url: string) => url.slice(url.lastIndexOf('/') + 1).split('_')[0] ?? '';
  return { ...packages, packages: ROOT, inputs: inputs.filter(({ url }) => ROOT_CLOSURE.has(name(url))) };
}

let plugin: Promise<string> | undefined;

async function compilePlugin(): Promise<string> {
  const folder = join(packageFolder(), 'test-results');
  await mkdir(folder, { recursive: true });
  return buildPlugin(join(folder, 'agent-provider-test'), HOST);
}
