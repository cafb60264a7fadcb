import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Progress } from './progress.ts';

/** What every long operation is given: where bytes are kept, how to report, when to stop. */
export interface Context {
  /** Folder of the content-addressed cache. */
  readonly cache: string;
  readonly progress: Progress;
  /** Aborted by Ctrl-C; everything that waits listens to it. */
  readonly signal: AbortSignal;
}

/** `$SEXTANT_CACHE`, else `$XDG_CACHE_HOME/sextant`, else `~/.cache/sextant` (XDG Base Directory specification). */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return (
    environment.SEXTANT_CACHE || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sextant')
  );
}
