import { posix } from 'node:path';
import { SextantError } from '../support/errors.ts';
import type { Input } from './plan.ts';
import type { ComponentFiles } from './types.ts';
import { printable, type WalkedNode, walk } from './walk.ts';

/**
 * What a recipe takes from a component, as inputs of the plan. `from` is an exact path, the only file's name or "." where the
 * component is one file, or `FOLDER/**` (`**` for all of it). Throws `input` naming the component when a pattern matches nothing
 * or a folder without `/**`.
 */
export async function componentInputs(
  component: ComponentFiles,
  group: number,
  signal?: AbortSignal,
): Promise<{ inputs: Input[]; problems: string[] }> {
  if (component.files.length === 0) return { inputs: [], problems: [] };
  const { nodes, problems } = await walk(component.folder, signal);
  const byPath = new Map(nodes.map((node) => [node.path, node]));
  const inputs: Input[] = [];
  for (const wanted of component.files) {
    for (const [node, path] of matches(component, wanted, nodes, byPath)) {
      inputs.push({
        ...node,
        path,
        component: component.component,
        group,
        ...(wanted.mode === undefined || node.kind !== 'file'
          ? {}
          : { wantedMode: Number.parseInt(wanted.mode, 8) }),
      });
    }
  }
  return { inputs, problems: problems.map((problem) => `${component.component}: ${problem}`) };
}

function matches(
  component: ComponentFiles,
  wanted: { readonly from: string; readonly to: string },
  nodes: readonly WalkedNode[],
  byPath: ReadonlyMap<string, WalkedNode>,
): [WalkedNode, string][] {
  const from = wanted.from.replace(/^(\.\/)+/, '');
  if (from === '**' || from.endsWith('/**')) {
    const folder = from === '**' ? '' : `/${from.slice(0, -3)}`;
    const found = nodes.filter((node) => node.path.startsWith(`${folder}/`));
    if (found.length === 0) throw nothingMatches(component, wanted.from, nodes);
    const to = wanted.to.replace(/\/+$/, '');
    return found.map((node) => [node, to + node.path.slice(folder.length)]);
  }
  const files = nodes.filter((node) => node.kind !== 'folder');
  const node = from === '.' && files.length === 1 ? files[0] : byPath.get(`/${from}`);
  if (node === undefined) throw nothingMatches(component, wanted.from, nodes);
  if (node.kind === 'folder') {
    throw new SextantError('input', `component ${component.component}: ${wanted.from} is a folder`, {
      hint: `write ${from}/** to take everything in it`,
    });
  }
  // Like cp: a destination that ends in a slash is a folder.
  const to = wanted.to.endsWith('/') ? wanted.to + posix.basename(node.path) : wanted.to;
  return [[node, to]];
}

function nothingMatches(component: ComponentFiles, from: string, nodes: readonly WalkedNode[]): SextantError {
  const near = nearest(
    from,
    nodes.map((node) => node.path.slice(1)),
  );
  return new SextantError('input', `component ${component.component} has no ${printable(from)}`, {
    hint:
      near.length === 0
        ? 'the component holds no files at all; look at its source'
        : `it holds ${near.map(printable).join(', ')}`,
  });
}

/** The names most like `wanted`: same base name first, then by how many edits apart. At most 8. */
function nearest(wanted: string, names: readonly string[]): string[] {
  const base = posix.basename(wanted.replace(/\/\*\*$/, ''));
  return names
    .slice(0, 5000)
    .map((name) => ({
      name,
      distance: Math.min(editDistance(wanted, name), editDistance(base, posix.basename(name)) + 0.5),
    }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 8)
    .map(({ name }) => name);
}

/** Levenshtein distance, of the first 64 characters. */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64);
  const b = right.slice(0, 64);
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
