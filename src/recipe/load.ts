import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isCollection, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { ZodError } from 'zod';
import { SextantError } from '../support/errors.ts';
import { canonicalJson, sha256 } from '../support/files.ts';
import { imagesFolder } from './container-images.ts';
import { variants } from './matrix.ts';
import { type Component, type Recipe, recipeSchema } from './schema.ts';

export interface LoadedRecipe {
  readonly recipe: Recipe;
  /** The recipe's file, absolute. */
  readonly file: string;
  /** Folder that relative paths in the recipe start from, absolute. */
  readonly folder: string;
}

/** One thing wrong in a recipe; `line` counts from 1. */
export interface RecipeProblem {
  readonly line: number;
  /** Dotted path in the document, e.g. components[0].source.type; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** Reads and checks a recipe. All problems are reported at once in one `input` error, each with file, line and path. */
export async function loadRecipe(file: string): Promise<LoadedRecipe> {
  const absolute = resolve(file);
  const text = await readFile(absolute, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new SextantError('input', `${file}: there is no such recipe`, {
      hint: '`sextant init` writes a commented one; `--recipe FILE` names another',
      cause: error,
    });
  });
  const parsed = parseRecipe(text);
  if ('problems' in parsed) {
    const { problems } = parsed;
    throw new SextantError(
      'input',
      `${file}: ${problems.length === 1 ? '1 problem' : `${problems.length} problems`} in the recipe`,
      {
        details: problems
          .map(({ line, path, message }) => `${file}:${line}: ${path === '' ? '' : `${path}: `}${message}`)
          .join('\n'),
        hint: 'docs/recipe.md describes every key',
      },
    );
  }
  return { recipe: parsed.recipe, file: absolute, folder: dirname(absolute) };
}

/** The fully defaulted recipe in a YAML text, or every problem in it, by line. */
export function parseRecipe(text: string): { recipe: Recipe } | { problems: readonly RecipeProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        path: '',
        message: error.message,
      })),
    };
  }
  const result = recipeSchema.safeParse(document.toJS() ?? {}, { reportInput: true });
  const lineOf = (path: readonly PropertyKey[]) => lines.linePos(offsetOf(document, path)).line;
  const problems = result.success
    ? crossChecks(result.data).map(({ path, message }) => ({
        line: lineOf(path),
        path: pathText(path),
        message,
      }))
    : fromZod(result.error, lineOf);
  if (problems.length > 0) return { problems: problems.sort((a, b) => a.line - b.line) };
  return { recipe: result.data as Recipe };
}

/** SHA-256 of everything in a recipe that decides which bytes enter; where it is served, mirrors and keys do not. */
export function recipeDigest(recipe: Recipe): string {
  const {
    release: _release,
    mirrors: _mirrors,
    signing: _signing,
    image: _image,
    matrix: _matrix,
    components,
    ...entering
  } = recipe;
  const from = components.map(({ containerImages: _containerImages, ...component }) => component);
  return sha256(canonicalJson({ ...entering, components: from }));
}

/** Whether any part of the recipe is test equipment. */
export function hasStandins(recipe: Recipe): boolean {
  return recipe.distribution.standin || recipe.components.some((component) => component.standin);
}

export function findComponent(recipe: Recipe, name: string): Component | undefined {
  return recipe.components.find((component) => component.name === name);
}

type Path = readonly PropertyKey[];

function fromZod(error: ZodError, lineOf: (path: Path) => number): RecipeProblem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        line: lineOf([...issue.path, key]),
        path: pathText([...issue.path, key]),
        message: 'unknown key',
      }));
    }
    const given = issue.input === undefined ? ' (it is missing)' : '';
    const message = issue.message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '');
    return [{ line: lineOf(issue.path), path: pathText(issue.path), message: message + given }];
  });
}

/** What one value alone cannot show: names that must be unique, and names that must exist. */
function crossChecks(recipe: Recipe): { path: Path; message: string }[] {
  const problems: { path: Path; message: string }[] = [];
  const names = recipe.components.map(({ name }) => name);
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) {
      problems.push({
        path: ['components', index, 'name'],
        message: `a component named "${name}" is listed already`,
      });
    }
  });
  recipe.components.forEach(({ source }, index) => {
    if (source.type !== 'go-module') return;
    const path: Path = ['components', index, 'source'];
    if ((source.module === undefined) === (source.directory === undefined)) {
      problems.push({ path, message: 'give either module (with version) or directory' });
    } else if (source.module !== undefined && source.version === undefined) {
      problems.push({ path, message: `module ${source.module} needs an exact version` });
    }
  });
  const known = (name: string) => names.includes(name);
  if (!known(recipe.provider.component)) {
    problems.push({
      path: ['provider', 'component'],
      message: `no component is named "${recipe.provider.component}"; the provider plug-in must be one of: ${names.join(', ')}`,
    });
  }
  recipe.hook.answers.forEach(({ component }, index) => {
    if (!known(component)) {
      problems.push({
        path: ['hook', 'answers', index, 'component'],
        message: `no component is named "${component}"`,
      });
    }
  });
  recipe.components.forEach(({ containerImages, files }, index) => {
    if (!containerImages) return;
    const strange = variants(recipe).find(
      ({ recipe: { distribution } }) => imagesFolder(distribution.name) === undefined,
    );
    const path: Path = ['components', index, 'containerImages'];
    if (strange !== undefined) {
      problems.push({
        path,
        message: `where ${strange.recipe.distribution.name} reads container images is not known; k3s and k0s are`,
      });
    }
    if (files.length > 0) {
      problems.push({
        path,
        message: 'archives of container images have a place of their own: leave `files` out',
      });
    }
  });
  const ids = variants(recipe).map(({ id }) => id);
  let at = 0;
  recipe.matrix.forEach(({ versions }, row) => {
    versions.forEach((spec, column) => {
      const id = ids[at];
      if (id !== undefined && ids.indexOf(id) !== at) {
        problems.push({
          path: ['matrix', row, 'versions', column],
          message: `"${spec}" makes a second ${id}; the matrix names each release once`,
        });
      }
      at += 1;
    });
  });
  return problems;
}

/** Position of the value at a path, or of the nearest part of the path that exists. A key that is wrong itself counts as its value. */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of path) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (!pair) break;
      if (isScalar(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
    } else {
      node = node.items[Number(part)];
      const range = (node as { range?: [number, number, number] } | undefined)?.range;
      if (range) offset = range[0];
    }
  }
  return offset;
}

function pathText(path: Path): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );
}
