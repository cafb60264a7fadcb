import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder sextant is installed in: the one with its package.json, above this file whether bundled or not. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error('sextant is installed without its package.json');
    folder = above;
  }
  return folder;
}

/** A program that other processes start by path (a worker, the sandbox's gate), as tools/bundle.mjs lays it down. */
export function bundledProgram(name: string): string {
  return join(packageFolder(), 'build', `${name}.js`);
}

/** A folder that tools/bundle.mjs lays down beside the program. */
export function bundledFolder(name: string): string {
  return join(packageFolder(), 'build', name);
}
