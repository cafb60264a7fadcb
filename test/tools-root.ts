import { join } from 'node:path';
import { cacheFolder } from '../src/support/context.ts';

/** Debian trixie's tools, a root that `make tools` lays down: $SEXTANT_TOOLS, or a folder of the cache. */
export const toolsRoot = process.env.SEXTANT_TOOLS || join(cacheFolder(), 'judges', 'trixie');

/** Program and arguments that run a tool in that root with /proc and /dev, in a mount namespace of its own; needs root. */
export function inToolsRoot(tool: string, args: readonly string[]): [string, string[]] {
  const enter = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"';
  return ['unshare', ['--mount', 'sh', '-c', enter, toolsRoot, tool, ...args]];
}
