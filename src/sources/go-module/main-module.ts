import { lstat, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { Component, SourceOf } from '../../recipe/schema.ts';
import { SextantError } from '../../support/errors.ts';
import type { SourceContext } from '../types.ts';
import { copyFolder, folderDigest } from './folders.ts';
import { type GoRun, runGo } from './go-command.ts';

export type GoSource = SourceOf<'go-module'>;

/** A module to build as the main module: published, or a folder of the recipe. */
export type MainModule =
  | { readonly kind: 'published'; readonly path: string; readonly version: string }
  | { readonly kind: 'directory'; readonly folder: string; readonly version: string };

/** Which module a recipe means. Throws `input` when it names none. */
export function mainModule(component: Component, source: GoSource, recipeFolder: string): MainModule {
  if (source.directory !== undefined) {
    const folder = resolve(recipeFolder, source.directory);
    return { kind: 'directory', folder, version: source.version ?? '0' };
  }
  if (source.module === undefined || source.version === undefined) {
    throw new SextantError(
      'input',
      `component ${component.name}: go-module needs module and version, or directory`,
      {
        hint: 'write module: and version: (exact), or directory: into its source',
      },
    );
  }
  return { kind: 'published', path: source.module, version: source.version };
}

/** What errors call it: "edgevpn (github.com/mudler/edgevpn@v0.30.2)". */
export function subjectOf(component: Component, main: MainModule): string {
  return `${component.name} (${main.kind === 'published' ? `${main.path}@${main.version}` : main.folder})`;
}

interface Downloaded {
  readonly Path: string;
  readonly Version: string;
  readonly Dir: string;
}

/** The source folder of a main module; a published one is unpacked into Go's module cache by way of `go.env`'s proxy. */
export async function mainSource(main: MainModule, go: GoRun): Promise<{ folder: string; version: string }> {
  if (main.kind === 'directory') {
    await mustBeModule(main.folder, go.component);
    return { folder: main.folder, version: main.version };
  }
  const { stdout } = await runGo(['mod', 'download', '-json', `${main.path}@${main.version}`], go);
  const { Dir, Version } = JSON.parse(stdout.toString('utf8')) as Downloaded;
  return { folder: Dir, version: Version };
}

async function mustBeModule(folder: string, component: string): Promise<void> {
  const found = await stat(join(folder, 'go.mod')).catch(() => undefined);
  if (found?.isFile()) return;
  throw new SextantError('input', `component ${component}: ${folder} holds no go.mod`, {
    hint: 'directory must name the folder of a Go module, relative to the recipe',
  });
}

/**
 * Copies a main module to `folder` and makes it buildable: overlays put in, vendor/ and go.work taken away, replace lines that point
 * into its own repository rewritten to published modules. The same input gives the same bytes.
 */
export async function prepareMain(
  from: string,
  folder: string,
  source: GoSource,
  go: GoRun,
  context: SourceContext,
): Promise<void> {
  await copyFolder(from, folder, context.signal);
  // Vendored sources and workspaces would be built instead of the locked modules.
  for (const name of ['vendor', 'go.work', 'go.work.sum']) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
  for (const [to, overlay] of Object.entries(source.overlay)) {
    const target = join(folder, to);
    if (target !== folder && !target.startsWith(folder + sep)) {
      throw new SextantError('input', `component ${go.component}: overlay ${to} leads out of the module`);
    }
    await copyFolder(await overlayFolder(overlay, go.component, context), target, context.signal);
  }
  await rewriteReplaces(folder, source, { ...go, cwd: folder });
}

async function overlayFolder(overlay: string, component: string, context: SourceContext): Promise<string> {
  const folder = resolve(context.recipeFolder, overlay);
  const found = await lstat(folder).catch(() => undefined);
  if (found?.isDirectory()) return folder;
  throw new SextantError('input', `component ${component}: overlay ${folder} is not a folder`, {
    hint: 'overlay takes folders relative to the recipe',
  });
}

/** Digests of the recipe's own folders that enter a build: they are part of what decides its result. */
export async function localDigests(
  main: MainModule,
  source: GoSource,
  component: string,
  context: SourceContext,
): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  if (main.kind === 'directory') {
    await mustBeModule(main.folder, component);
    digests['.'] = await folderDigest(main.folder, context.signal);
  }
  for (const [to, overlay] of Object.entries(source.overlay)) {
    digests[to] = await folderDigest(await overlayFolder(overlay, component, context), context.signal);
  }
  return digests;
}

interface GoMod {
  readonly Replace?:
    | readonly {
        readonly Old: { readonly Path: string; readonly Version?: string };
        readonly New: { readonly Path: string; readonly Version?: string };
      }[]
    | null;
}

const isLocal = (path: string) => /^(?:\.{0,2}\/|\.\.?$)/.test(path);

async function rewriteReplaces(folder: string, source: GoSource, go: GoRun): Promise<void> {
  const { stdout } = await runGo(['mod', 'edit', '-json'], go);
  const { Replace } = JSON.parse(stdout.toString('utf8')) as GoMod;
  const edits: string[] = [];
  for (const { Old, New } of Replace ?? []) {
    if (!isLocal(New.Path)) continue;
    const rule = source.replace.find(({ from }) =>
      from.endsWith('*') ? Old.Path.startsWith(from.slice(0, -1)) : Old.Path === from,
    );
    if (rule) {
      const old = Old.Version ? `${Old.Path}@${Old.Version}` : Old.Path;
      edits.push(`-replace=${old}=${Old.Path}@${rule.version}`);
      continue;
    }
    const target = resolve(folder, New.Path);
    const inside =
      target.startsWith(folder + sep) && (await stat(join(target, 'go.mod')).catch(() => undefined));
    if (!inside) {
      throw new SextantError(
        'input',
        `component ${go.component}: go.mod replaces ${Old.Path} by ${New.Path}, which is not part of the module`,
        { hint: `name the published version in the recipe: replace: [{ from: ${Old.Path}, version: ... }]` },
      );
    }
  }
  if (edits.length > 0) await runGo(['mod', 'edit', ...edits], go);
}

/** go.mod and go.sum of a main module; an absent go.sum is empty. */
export async function readModFiles(folder: string): Promise<{ goMod: string; goSum: string }> {
  const goSum = await readFile(join(folder, 'go.sum'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return { goMod: await readFile(join(folder, 'go.mod'), 'utf8'), goSum };
}

export async function writeModFiles(
  folder: string,
  files: { goMod?: string; goSum?: string },
): Promise<void> {
  if (files.goMod !== undefined) await writeFile(join(folder, 'go.mod'), files.goMod);
  if (files.goSum !== undefined) await writeFile(join(folder, 'go.sum'), files.goSum);
}

/** Loads every package the program needs, which completes go.mod and go.sum; how many there are. */
export async function loadPackages(source: GoSource, go: GoRun): Promise<number> {
  const args = ['list', '-mod=mod', '-deps', ...tagFlags(source), packagePath(source)];
  const { stdout } = await runGo(args, go);
  return stdout.toString('utf8').trim().split('\n').length;
}

export const packagePath = ({ package: name }: GoSource): string => (name === '.' ? '.' : `./${name}`);

export const tagFlags = ({ tags }: GoSource): string[] =>
  tags.length > 0 ? [`-tags=${tags.join(',')}`] : [];
