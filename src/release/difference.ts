import type { TreeEntry } from '../tree/types.ts';
import type { Extension } from './extension.ts';

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly component: string;
  /** Bytes; 0 where there is none. */
  readonly before: number;
  readonly after: number;
}

export interface Difference {
  readonly versions: readonly { readonly name: string; readonly before?: string; readonly after?: string }[];
  readonly files: readonly FileChange[];
  /** Bytes of the image files. */
  readonly size: { readonly before: number; readonly after: number };
  readonly rootHash: { readonly before: string; readonly after: string };
}

/** What is compared of an extension: opened, or as a catalog keeps it, whose manifest says everything. */
export type Compared = Pick<Extension, 'manifest'> & {
  readonly image: Pick<Extension['image'], 'size' | 'rootHash'>;
  readonly files?: Pick<Extension['files'], 'list'>;
};

/** What differs between two extensions: component versions, files by content and mode, sizes. */
export async function difference(before: Compared, after: Compared): Promise<Difference> {
  const [a, b] = await Promise.all([entries(before), entries(after)]);
  const files: FileChange[] = [];
  for (const path of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [old, now] = [a.get(path), b.get(path)];
    if (old !== undefined && now !== undefined && same(old, now)) continue;
    files.push({
      path,
      change: old === undefined ? 'added' : now === undefined ? 'removed' : 'changed',
      component: (now ?? old)?.component ?? '',
      before: old?.size ?? 0,
      after: now?.size ?? 0,
    });
  }
  return {
    versions: versionChanges(before, after),
    files,
    size: { before: before.image.size, after: after.image.size },
    rootHash: { before: before.image.rootHash, after: after.image.rootHash },
  };
}

function versionChanges(before: Compared, after: Compared): Difference['versions'] {
  const of = ({ manifest }: Compared) =>
    new Map<string, string>([
      ...(manifest === undefined ? [] : [['Kubernetes', manifest.version] as const]),
      ...(manifest?.components ?? []).map(({ name, version }) => [name, version ?? 'unknown'] as const),
    ]);
  const [a, b] = [of(before), of(after)];
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((name) => {
    const [old, now] = [a.get(name), b.get(name)];
    if (old === now) return [];
    return [
      { name, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) },
    ];
  });
}

type Comparable = Pick<TreeEntry, 'kind' | 'mode' | 'size' | 'component'> & {
  sha256?: string;
  target?: string;
};

/** By path. An extension without our manifest is listed from its file system; then a file's content counts by its size alone. */
async function entries({ manifest, files }: Compared): Promise<Map<string, Comparable>> {
  const found = new Map<string, Comparable>();
  for (const entry of manifest?.entries ?? []) {
    if (entry.disposition !== 'dropped') found.set(entry.path, entry);
  }
  if (manifest !== undefined) return found;
  if (files === undefined) return found;
  for await (const { path, kind, mode, size, target } of files.list()) {
    if (kind !== 'file' && kind !== 'folder' && kind !== 'link') continue;
    found.set(path, { kind, mode, size, component: '', ...(target === undefined ? {} : { target }) });
  }
  return found;
}

function same(a: Comparable, b: Comparable): boolean {
  return (
    a.kind === b.kind &&
    a.mode === b.mode &&
    a.size === b.size &&
    a.target === b.target &&
    a.sha256 === b.sha256
  );
}
