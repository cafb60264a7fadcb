import { posix } from 'node:path';
import type { Planned } from './plan.ts';

/** Absolute path that a link means, seen from where it lies on the node. */
export function resolveTarget(linkPath: string, target: string): string {
  return posix.normalize(target.startsWith('/') ? target : posix.join(posix.dirname(linkPath), target));
}

/**
 * Links that moved, or that point to something that moved, keep meaning the same thing: their targets are rewritten, absolute ones
 * stay absolute. Targets that did not move are left as they were.
 */
export function repointLinks(planned: readonly Planned[]): Planned[] {
  const moved = new Map<string, string>();
  for (const entry of planned) {
    if (entry.disposition === 'relocated' && entry.from !== undefined) moved.set(entry.from, entry.path);
  }
  return planned.map((entry) => {
    if (entry.target === undefined) return entry;
    // A factory copy is read at the place where tmpfiles.d puts it.
    const lies = entry.from ?? entry.path;
    const willLie = entry.disposition === 'factory' ? lies : entry.path;
    const means = resolveTarget(lies, entry.target);
    const now = moved.get(means) ?? means;
    if (now === means && willLie === lies) return entry;
    const target = entry.target.startsWith('/') ? now : posix.relative(posix.dirname(willLie), now);
    return { ...entry, target };
  });
}

/** Never in an extension, always on a node. */
const ON_EVERY_NODE = ['/dev', '/proc', '/sys', '/run'];

/** A line for each link that points to nothing the extension carries; the node may have it, so it is not an error. */
export function linkWarnings(planned: readonly Planned[]): string[] {
  const present = new Set<string>();
  for (const entry of planned) {
    const onNode = entry.disposition === 'factory' ? [entry.from ?? entry.path, entry.path] : [entry.path];
    for (let path of onNode) {
      while (path !== '/' && !present.has(path)) {
        present.add(path);
        path = posix.dirname(path);
      }
    }
  }
  return planned.flatMap((entry) => {
    if (entry.target === undefined) return [];
    const lies = entry.disposition === 'factory' ? (entry.from ?? entry.path) : entry.path;
    const means = resolveTarget(lies, entry.target);
    if (present.has(means) || ON_EVERY_NODE.some((folder) => means.startsWith(`${folder}/`))) return [];
    return [`${entry.path} links to ${entry.target}, which the extension does not carry`];
  });
}
