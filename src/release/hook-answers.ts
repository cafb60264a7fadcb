import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer } from '../hook/types.ts';
import type { LockedBlob } from '../lock/types.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { BlobStore } from '../sources/types.ts';
import type { Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { fill } from '../support/fill.ts';
import { componentFile } from './component-file.ts';

interface AnswerRequest {
  readonly recipe: Recipe;
  /** Resolved version of the distribution. */
  readonly version: string;
  readonly architecture: Architecture;
  /** Materialized folder of each component. */
  readonly folders: ReadonlyMap<string, string>;
  readonly store: BlobStore;
  /** What the lock holds; undefined when locking, then `record` is asked for an address that is not known. */
  readonly locked: readonly LockedBlob[];
  readonly record?: (url: string) => Promise<LockedBlob>;
}

/** Two spellings of one address are one address: percent-encoding and a missing last slash do not count. */
export function sameAddress(url: string): string {
  try {
    return decodeURIComponent(new URL(url).href);
  } catch {
    return url;
  }
}

/** Words that a recipe's hook addresses may use. */
export function addressWords(version: string, architecture: Architecture): Record<string, string> {
  return {
    version: version.replace(/^v/, ''),
    tag: encodeURIComponent(version),
    arch: architecture,
    suffix: architecture === 'amd64' ? '' : `-${architecture}`,
  };
}

/**
 * What the recording proxy asks for each address: first what the recipe answers from a component, then the lock, then (only when
 * locking) the network, which is recorded.
 */
export function hookAnswers(request: AnswerRequest): (url: string) => Promise<Answer> {
  const words = addressWords(request.version, request.architecture);
  const fromComponents = new Map(
    request.recipe.hook.answers.map((answer) => [sameAddress(fill(answer.url, words)), answer]),
  );
  const fromLock = new Map(request.locked.map((blob) => [sameAddress(blob.url), blob]));
  return async (url) => {
    const address = sameAddress(url);
    const answer = fromComponents.get(address);
    if (answer !== undefined) {
      const folder = request.folders.get(answer.component);
      if (folder === undefined) throw new Error(`component ${answer.component} was not made`);
      return { kind: 'file', path: await fileIn(folder, answer.component, answer.file) };
    }
    const blob = fromLock.get(address) ?? (await request.record?.(url));
    if (blob === undefined) {
      return {
        kind: 'refuse',
        reason: 'the lock does not hold it; `sextant lock --update` records what the hook asks for',
      };
    }
    return { kind: 'file', path: await request.store.fetch(blob) };
  };
}

async function fileIn(folder: string, component: string, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const path = await componentFile(folder, file);
    if (path !== undefined) return path;
    throw new SextantError(
      'input',
      `component ${component} holds no file ${file}, which the hook is answered with`,
      {
        hint: 'mend `file:` in hook.answers',
      },
    );
  }
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  const [only] = names;
  if (only === undefined || names.length !== 1) {
    throw new SextantError(
      'input',
      `component ${component} holds ${names.length} files, an answer to the hook needs one`,
      {
        hint: 'name it with `file:` in hook.answers',
      },
    );
  }
  return join(folder, only.name);
}
