import { sha256OfFile } from '../digest.ts';
import type { Host } from '../host/host.ts';
import { storeFile } from '../model/paths.ts';
import type { ExtensionFile } from '../model/types.ts';
import { markDamaged } from '../observe/store.ts';
import { attempt } from './say.ts';

/**
 * The SHA-256 that a file in the store has in the place of its own; then it is marked, and no later boot uses it. Undefined for one that is
 * whole, or whose digest cannot be told in time: then the merge, which verifies, is to say.
 */
export function damageOf(host: Host, file: ExtensionFile, timeoutSeconds?: number): string | undefined {
  const found = attempt(host, () => sha256OfFile(host, storeFile(file), timeoutSeconds));
  if (found === undefined || found === file.sha256) return undefined;
  attempt(host, () => markDamaged(host, file));
  return found;
}
