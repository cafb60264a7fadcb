import type { Planned } from './plan.ts';
import { byBytes } from './walk.ts';

/** Name of the tmpfiles.d file that lays the extension's factory copies down. */
export function tmpfilesPath(extensionName: string): string {
  return `/usr/lib/tmpfiles.d/${extensionName}.conf`;
}

/**
 * The tmpfiles.d(5) text for factory copies: `C` copies a file or link where the node has none, `d` makes a folder. The source of
 * a copy is the same path below /usr/share/factory, which is what tmpfiles.d takes when a line names none.
 */
export function tmpfilesText(
  extensionName: string,
  planned: readonly Planned[],
  imagesOnNode?: string,
): string | undefined {
  const copies = planned
    .filter((entry) => entry.disposition === 'factory' && entry.from !== undefined)
    .sort((a, b) => byBytes(a.from ?? '', b.from ?? ''))
    .map((entry) => {
      const path = quotePath(entry.from ?? '');
      if (entry.kind === 'folder') return `d ${path} - root root - -`;
      if (entry.kind === 'link') return `C ${path} - - - -`;
      return `C ${path} 0${entry.mode.toString(8).padStart(3, '0')} root root - -`;
    });
  const lines = [...copies, ...imageLinks(extensionName, planned, imagesOnNode)];
  if (lines.length === 0) return undefined;
  return `# Files of ${extensionName} that no extension can deliver, laid down where the node has none. Written by sextant.\n${lines.join('\n')}\n`;
}

/** Where an extension carries archives of container images. */
export function containerImagesFolder(extensionName: string): string {
  return `/usr/share/${extensionName}/container-images`;
}

/**
 * `L` makes a link where the node has nothing of that name: a file that someone put there stays. The links' targets are the same for every
 * version, so a later extension's archives are found by those of an earlier one; after a deactivation they lead nowhere, which k3s and k0s
 * log and pass over.
 */
function imageLinks(
  extensionName: string,
  planned: readonly Planned[],
  imagesOnNode: string | undefined,
): string[] {
  if (imagesOnNode === undefined) return [];
  const folder = `${containerImagesFolder(extensionName)}/`;
  return planned
    .filter(({ path, kind }) => kind === 'file' && path.startsWith(folder))
    .map(({ path }) => path)
    .sort(byBytes)
    .map((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      return `L ${quotePath(`${imagesOnNode}/${name}`)} - - - - ${quotePath(path)}`;
    });
}

/** A path as a field of tmpfiles.d: specifiers doubled, quoted where a space, quote or backslash is in it. */
function quotePath(path: string): string {
  const escaped = path.replaceAll('%', '%%');
  if (!/[\s"'\\]/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
