import { ARCHITECTURE_NAMES } from '../support/architecture.ts';
import { canonicalJson, sha256 } from '../support/files.ts';
import { VERSION } from '../support/version.ts';
import { RULES } from './rules.ts';
import { NODE_PROGRAM_COMPONENT } from './self-activation.ts';
import type { TreeEntry, TreeRequest } from './types.ts';
import { byBytes } from './walk.ts';

export const MANIFEST_PATH = '/usr/share/sextant/manifest.json';

/** A component as the manifest lists it. */
export interface ManifestComponent {
  readonly name: string;
  readonly version?: string;
  /** Present and true for test equipment. */
  readonly standin?: true;
  /** Files that it has in the extension. */
  readonly files: number;
  /** Bytes of these. */
  readonly bytes: number;
}

/**
 * What an extension says about itself (schema version 1). `entries` has every path of the image but the manifest itself, and for
 * what was dropped the folder of the rule: names of temporary files differ from build to build.
 */
export interface Manifest {
  readonly schemaVersion: 1;
  readonly name: string;
  /** Kubernetes version. */
  readonly version: string;
  readonly architecture: string;
  /** Path of the provider plug-in. */
  readonly plugin: string;
  /** Version of sextant that built it. */
  readonly sextant: string;
  readonly components: readonly ManifestComponent[];
  readonly entries: readonly TreeEntry[];
}

/** Path of the extension's release file (os-release(5)). */
export function releaseFilePath(extensionName: string): string {
  return `/usr/lib/extension-release.d/extension-release.${extensionName}`;
}

/**
 * The release file: any operating system, one architecture, and the manager reloads so that it sees the units. The values are
 * compared by systemd-sysext; fields it does not know are ignored.
 */
export function releaseFileText(request: Pick<TreeRequest, 'architecture' | 'version'>): string {
  const version = request.version.replaceAll(/["$`\\\n]/g, '');
  return `ID=_any
ARCHITECTURE=${ARCHITECTURE_NAMES[request.architecture].systemd}
EXTENSION_RELOAD_MANAGER=1
SEXTANT_VERSION="${VERSION}"
SEXTANT_KUBERNETES_VERSION="${version}"
`;
}

/** The manifest of a finished tree; the same tree gives the same bytes. */
export function manifest(
  request: Pick<TreeRequest, 'extensionName' | 'version' | 'architecture' | 'components'>,
  plugin: string,
  entries: readonly TreeEntry[],
): Manifest {
  const known = new Map(request.components.map((component) => [component.component, component]));
  const names = new Set([...known.keys(), ...entries.map((entry) => entry.component)]);
  return {
    schemaVersion: 1,
    name: request.extensionName,
    version: request.version,
    architecture: request.architecture,
    plugin,
    sextant: VERSION,
    components: [...names].sort(byBytes).map((name) => {
      const files = entries.filter(
        (entry) => entry.component === name && entry.kind === 'file' && entry.disposition !== 'dropped',
      );
      const ours = name === 'sextant' || name === NODE_PROGRAM_COMPONENT;
      const version = name === 'hook' ? request.version : ours ? VERSION : known.get(name)?.version;
      return {
        name,
        ...(version === undefined ? {} : { version }),
        ...(known.get(name)?.standin ? { standin: true as const } : {}),
        files: files.length,
        bytes: files.reduce((sum, entry) => sum + entry.size, 0),
      };
    }),
    entries: summarized(entries),
  };
}

/** Text of the manifest file. */
export function manifestText(value: Manifest): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

/**
 * SHA-256 of what a tree looks like on a node: paths, kinds, modes, contents and targets, in order. What was dropped and where
 * things came from do not count.
 */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const seen = entries
    .filter((entry) => entry.disposition !== 'dropped')
    .map(({ path, kind, mode, sha256: digest, target }) => ({ path, kind, mode, digest, target }))
    .sort((a, b) => byBytes(a.path, b.path));
  return sha256(canonicalJson(seen));
}

/** Dropped paths by the folder of their rule, once each; their sizes and modes say nothing and differ from build to build. */
function summarized(entries: readonly TreeEntry[]): TreeEntry[] {
  const kept = entries.filter((entry) => entry.disposition !== 'dropped');
  const dropped = new Map<string, TreeEntry>();
  for (const entry of entries) {
    if (entry.disposition !== 'dropped') continue;
    const { component, from = '' } = entry;
    const rule = RULES.find((candidate) => candidate.name === from && !candidate.exact);
    const folder = rule?.paths.find((path) => entry.path === path || entry.path.startsWith(`${path}/`));
    const path = folder ?? entry.path;
    const kind = folder === undefined ? entry.kind : 'folder';
    const mode = kind === 'folder' ? 0o755 : 0o644;
    dropped.set(path, { path, kind, mode, size: 0, disposition: 'dropped', from, component });
  }
  return [...kept, ...dropped.values()].sort((a, b) => byBytes(a.path, b.path));
}
