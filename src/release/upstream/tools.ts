import type { Lock, LockedPackages } from '../../lock/types.ts';
import { packageOf, resolvePackages, type Trust } from '../../sources/debian/index.ts';
import type { SourceContext } from '../../sources/types.ts';
import { ARCHITECTURES } from '../../support/architecture.ts';
import type { News } from './types.ts';

const NAMES = { erofs: 'mkfs.erofs', qemu: 'emulator of the hook', hookRoot: 'root of the hook' } as const;

/** Packages of a lock's tools that the archive has in other versions now. Fetches the suites' indexes, no package. */
export async function newerTools(lock: Lock, context: SourceContext, trust?: Trust): Promise<News[]> {
  const news: News[] = [];
  for (const name of ['erofs', 'qemu', 'hookRoot'] as const) {
    const changed = new Map<string, { before: string; after: string }>();
    for (const architecture of ARCHITECTURES) {
      const locked = lock.tools[name][architecture];
      if (locked === undefined) continue;
      const now = await resolvePackages(locked.packages, locked.suite, architecture, context, trust);
      const [a, b] = [versions(locked), versions(now)];
      for (const key of new Set([...a.keys(), ...b.keys()])) {
        const [before, after] = [a.get(key) ?? '', b.get(key) ?? ''];
        if (before !== after) changed.set(key, { before, after });
      }
    }
    if (changed.size === 0) continue;
    const list = (side: 'before' | 'after') =>
      [...changed].map(([key, versionsOf]) => `${key} ${versionsOf[side] || '(none)'}`).join(', ');
    news.push({
      kind: 'tools',
      name: NAMES[name],
      locked: list('before'),
      upstream: list('after'),
      allowed: true,
    });
  }
  return news;
}

function versions({ inputs }: LockedPackages): Map<string, string> {
  return new Map(
    inputs.flatMap(({ url }) => {
      const found = packageOf(url);
      return found === undefined ? [] : [[found.name, found.version] as const];
    }),
  );
}
