import { build } from 'esbuild';
import { openStore } from '../../src/sources/store.ts';
import type { SourceContext } from '../../src/sources/types.ts';
import { type Architecture, hostArchitecture } from '../../src/support/architecture.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { silent } from '../../src/support/progress.ts';

/** What compiles: the user's cache, and the network for what is not in it. */
export function compilingContext(cache = cacheFolder()): SourceContext {
  const { signal } = new AbortController();
  const store = openStore({ cache, mirrors: [], frozen: false, signal, progress: silent });
  return { cache, progress: silent, signal, store, frozen: false, mirrors: [], recipeFolder: '.', go: '' };
}

export const thisMachine: Architecture = hostArchitecture() ?? 'amd64';
export const otherMachine: Architecture = thisMachine === 'amd64' ? 'arm64' : 'amd64';

/** A TypeScript file and what it imports as one module for QuickJS. */
export async function bundled(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [file],
    write: false,
    bundle: true,
    platform: 'neutral',
    format: 'esm',
    target: 'es2023',
    external: ['sextant:native'],
  });
  return outputFiles[0]?.text ?? '';
}
