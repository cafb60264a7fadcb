import { freemem } from 'node:os';
import type { Recipe } from '../../recipe/schema.ts';

/** What one release takes at its peak: mkfs.erofs with its dictionary for each worker, the hook, hashing. Bytes. */
const PLAIN = 768 * 1024 ** 2;
/** The Go compiler and linker with a program of Kubernetes' size. */
const COMPILING = 3 * 1024 ** 3;

/** Bytes of memory that building a release may take at its peak; an estimate by what its recipe has to do, on the careful side. */
export function memoryEstimate(recipe: Recipe): number {
  return recipe.components.some(({ source }) => source.type === 'go-module') ? COMPILING : PLAIN;
}

/** Bytes that builds may take together where nothing is said: three quarters of what is free now, the rest is for the page cache. */
export function memoryDefault(free: number = freemem()): number {
  return Math.max(PLAIN, Math.floor(free * 0.75));
}
