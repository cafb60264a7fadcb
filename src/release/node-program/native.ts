import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageFolder } from '../../support/package.ts';

/** Where tools/bundle.mjs lays down what sextant-node is compiled from: its C files, and its TypeScript as one module. */
export function nativeFolder(): string {
  return join(packageFolder(), 'build', 'node-program');
}

/** C files that become a part of the program. */
export const NATIVE_PARTS = ['main', 'module', 'files', 'processes'] as const;

/** The C files and headers by name. */
export async function nativeFiles(): Promise<Readonly<Record<string, string>>> {
  const names = ['native.h', 'compile.c', ...NATIVE_PARTS.map((name) => `${name}.c`)];
  const texts = await Promise.all(names.map((name) => readFile(join(nativeFolder(), name), 'utf8')));
  return Object.fromEntries(names.map((name, at) => [name, texts[at] ?? '']));
}

/** sextant-node's TypeScript as one module that imports nothing but `sextant:native`. */
export function nodeModule(): Promise<string> {
  return readFile(join(nativeFolder(), 'main.js'), 'utf8');
}
