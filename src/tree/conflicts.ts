import { posix } from 'node:path';
import { contentDigest } from './content.ts';
import type { Planned, Problem } from './plan.ts';
import type { TreeEntry } from './types.ts';

export interface Settled {
  /** One entry for each path. */
  readonly planned: readonly Planned[];
  /** Second copies of the same content that the hook wrote at another path. */
  readonly dropped: readonly TreeEntry[];
  readonly problems: readonly Problem[];
}

/**
 * Brings several sources together: the same thing twice at one path is fine, different things are a problem that names both, and so
 * is a path below something that is not a folder.
 */
export async function settle(planned: readonly Planned[], signal?: AbortSignal): Promise<Settled> {
  const byPath = new Map<string, Planned>();
  const dropped: TreeEntry[] = [];
  const problems: Problem[] = [];
  for (const entry of planned) {
    const first = byPath.get(entry.path);
    if (first === undefined) {
      byPath.set(entry.path, entry);
      continue;
    }
    const difference = await differ(first, entry, signal);
    if (difference !== undefined) {
      problems.push({
        path: entry.path,
        component: `${first.component} and ${entry.component}`,
        reason: `${origin(first)} and ${origin(entry)} differ in ${difference}`,
        advice: 'take it from one of them only',
      });
    } else if (entry.from !== first.from) {
      dropped.push({
        path: entry.from ?? entry.path,
        kind: entry.kind,
        mode: entry.mode,
        size: entry.size,
        ...(entry.target === undefined ? {} : { target: entry.target }),
        disposition: 'dropped',
        from: `same as ${first.from ?? first.path}`,
        component: entry.component,
      });
    }
  }
  for (const entry of byPath.values()) {
    for (let folder = posix.dirname(entry.path); folder !== '/'; folder = posix.dirname(folder)) {
      const above = byPath.get(folder);
      if (above === undefined || above.kind === 'folder') continue;
      problems.push({
        path: entry.path,
        component: `${above.component} and ${entry.component}`,
        reason: `lies below ${folder}, which is a ${above.kind} of ${above.component}`,
        advice: 'take one of them only',
      });
    }
  }
  return { planned: [...byPath.values()], dropped, problems };
}

function origin(entry: Planned): string {
  return entry.from === undefined ? entry.component : `${entry.component} (${entry.from})`;
}

async function differ(a: Planned, b: Planned, signal?: AbortSignal): Promise<string | undefined> {
  if (a.kind !== b.kind) return `kind (${a.kind}, ${b.kind})`;
  if (a.kind === 'link') return a.target === b.target ? undefined : `target (${a.target}, ${b.target})`;
  if (a.kind === 'folder') return undefined;
  if (a.size !== b.size) return `size (${a.size} and ${b.size} bytes)`;
  if ((await contentDigest(a, signal)) !== (await contentDigest(b, signal))) return 'content';
  if (a.mode !== b.mode) return `mode (0${a.mode.toString(8)}, 0${b.mode.toString(8)})`;
  return undefined;
}
