import { execFileSync } from 'node:child_process';

/** Tests start workers and the command line from build/, so it is made anew before each run of the tests. */
export function setup(): void {
  execFileSync(process.execPath, ['tools/bundle.mjs'], { stdio: 'inherit' });
}
