import { chmod, mkdir, stat, symlink } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import type { LockedBlob, LockedComponent } from '../../lock/types.ts';
import type { SourceOf } from '../../recipe/schema.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { fileDigest } from '../../support/files.ts';
import { fill } from '../../support/fill.ts';
import { builtFolder } from '../built.ts';
import { copyInto, incompleteLock } from '../single-file.ts';
import type { SourceContext, SourceRoom } from '../types.ts';
import { type ListedEntry, listFolder, listingDigest } from './listing.ts';

/** What the lock keeps of a local file or folder; files' digests are in `inputs`, in the order of the listing. */
const detailSchema = z.object({
  path: z.string(),
  listing: z.string(),
  entries: z.array(
    z.union([
      z.object({ path: z.string(), executable: z.boolean() }),
      z.object({ path: z.string(), target: z.string() }),
      z.object({ path: z.string() }),
    ]),
  ),
});

/** A file or folder next to the recipe. The lock knows each file's digest, so that a change since locking is named. */
export const file: SourceRoom<'file'> = {
  async resolve(component, source, architecture, context) {
    const path = relativePath(source, architecture);
    const entries = await list(component.name, path, context);
    const inputs = entries.flatMap((entry): LockedBlob[] =>
      entry.kind === 'file'
        ? [{ url: `file:${path}#${entry.path}`, size: entry.size, sha256: entry.sha256 }]
        : [],
    );
    const detail: z.output<typeof detailSchema> = {
      path,
      listing: listingDigest(entries),
      entries: entries.map((entry) =>
        entry.kind === 'file'
          ? { path: entry.path, executable: entry.executable }
          : entry.kind === 'link'
            ? { path: entry.path, target: entry.target }
            : { path: entry.path },
      ),
    };
    return { name: component.name, type: 'file', version: source.version, inputs, detail };
  },

  async materialize(component, source, locked, architecture, context) {
    const path = relativePath(source, architecture);
    const entries = await list(component.name, path, context);
    const listing = listingDigest(entries);
    refuseChanges(component.name, path, entries, locked);
    const whole = resolve(context.recipeFolder, path);
    const isFolder = (await stat(whole)).isDirectory();
    return builtFolder(context, { what: 'local files', version: 1, listing }, async (folder) => {
      for (const entry of entries) {
        context.signal.throwIfAborted();
        const to = join(folder, entry.path);
        if (entry.kind === 'folder') await makeFolder(to);
        else if (entry.kind === 'link') await symlink(entry.target, to);
        else await copyChecked(isFolder ? join(whole, entry.path) : whole, to, entry);
      }
    });
  },
};

function relativePath(source: SourceOf<'file'>, architecture: Architecture): string {
  return fill(source.path, { arch: source.archNames[architecture], version: source.version });
}

async function list(componentName: string, path: string, context: SourceContext): Promise<ListedEntry[]> {
  const whole = resolve(context.recipeFolder, path);
  let status: Awaited<ReturnType<typeof stat>>;
  try {
    status = await stat(whole);
  } catch (cause) {
    throw new SextantError('input', `${componentName}: ${whole}: no such file or folder`, {
      hint: 'correct path in the recipe; it starts from the folder of the recipe',
      cause,
    });
  }
  if (status.isDirectory()) return listFolder(whole, context.signal);
  const executable = (status.mode & 0o111) !== 0;
  return [{ path: basename(whole), kind: 'file', executable, ...(await fileDigest(whole, context.signal)) }];
}

/** Compares with the lock; the first difference is named. */
function refuseChanges(
  componentName: string,
  path: string,
  entries: readonly ListedEntry[],
  locked: LockedComponent,
): void {
  const detail = detailSchema.safeParse(locked.detail);
  if (!detail.success || detail.data.path !== path) throw incompleteLock(componentName);
  if (detail.data.listing === listingDigest(entries)) return;
  const refuse = (what: string) =>
    new SextantError('verification', `${componentName}: ${what}`, {
      hint: 'if the change is wanted, write the lock again with `sextant lock`',
    });
  const whose = (name: string) =>
    entries.length === 1 && basename(path) === name ? path : `${path}/${name}`;
  const before = new Map(detail.data.entries.map((entry) => [entry.path, entry]));
  const digests = new Map(
    locked.inputs.map(({ url, sha256 }) => [url.slice(`file:${path}#`.length), sha256]),
  );
  for (const entry of entries) {
    const known = before.get(entry.path);
    if (known === undefined) throw refuse(`${whose(entry.path)} is new since the lock was written`);
    if (entry.kind === 'file') {
      const expected = digests.get(entry.path);
      if (expected !== undefined && expected !== entry.sha256) {
        throw refuse(
          `${whose(entry.path)} has changed since the lock was written: expected sha256 ${expected}, got ${entry.sha256}`,
        );
      }
    }
    before.delete(entry.path);
  }
  const [gone] = before.keys();
  if (gone !== undefined) throw refuse(`${whose(gone)} was there when the lock was written and is gone`);
  const changed = entries.find((entry) => {
    const known = detail.data.entries.find((each) => each.path === entry.path);
    if (known === undefined) return true;
    const executable = 'executable' in known ? known.executable : undefined;
    const target = 'target' in known ? known.target : undefined;
    return (
      executable !== (entry.kind === 'file' ? entry.executable : undefined) ||
      target !== (entry.kind === 'link' ? entry.target : undefined)
    );
  });
  throw refuse(
    `${changed === undefined ? path : whose(changed.path)} has another kind, link target or executable bit than when the lock was written`,
  );
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, 0o755); // mkdir() applies the umask.
}

async function copyChecked(
  from: string,
  to: string,
  entry: Extract<ListedEntry, { kind: 'file' }>,
): Promise<void> {
  await copyInto(from, to, entry.executable ? 0o755 : 0o644);
  const copied = await fileDigest(to);
  if (copied.sha256 === entry.sha256) return;
  throw new SextantError('verification', `${from} changed while it was copied`, {
    hint: 'run the same command again when nothing writes to it',
  });
}
