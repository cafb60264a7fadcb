import type { LockedArchitecture, LockedBlob, LockedComponent } from '../../lock/types.ts';
import { findComponent } from '../../recipe/load.ts';
import type { Recipe } from '../../recipe/schema.ts';
import type { Architecture } from '../../support/architecture.ts';
import { sha256 } from '../../support/files.ts';
import { VERSION } from '../../support/version.ts';
import { NODE_PROGRAM_COMPONENT } from '../../tree/self-activation.ts';
import { PINS } from '../node-program/pins.ts';
import type { SbomFile } from './contents.ts';
import type { GoModule } from './go-build-info.ts';
import { debianPurl, githubPurl, goPurl } from './purl.ts';

export interface SbomRequest {
  readonly recipe: Recipe;
  readonly version: string;
  readonly architecture: Architecture;
  readonly locked: LockedArchitecture;
  /** Every file that the extension delivers. */
  readonly files: readonly SbomFile[];
  readonly image: { readonly file: string; readonly sha256: string };
  /** Seconds since 1970 written as the time of creation. */
  readonly timestamp: number;
}

/** Something with a version that is in the extension, or that a part of it was taken out of. */
export interface Part {
  /** Unique in the inventory: letters, digits, dots and dashes. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly kind: 'extension' | 'component' | 'library' | 'download';
  readonly purl?: string;
  readonly license?: string;
  readonly sha256?: string;
  readonly downloadLocation?: string;
  readonly comment?: string;
}

/** `from` CONTAINS `to`, was GENERATED_FROM it, or has it linked in (STATIC_LINK): SPDX 2.3, section 11. */
export interface Link {
  readonly from: string;
  readonly type: 'CONTAINS' | 'GENERATED_FROM' | 'STATIC_LINK';
  readonly to: string;
}

/** What is in one extension, before it is written in one format or another. The same inputs give the same inventory, in the same order. */
export interface Inventory {
  readonly extension: Part;
  /** Everything but the extension. */
  readonly parts: readonly Part[];
  readonly files: readonly (SbomFile & { readonly id: string })[];
  readonly links: readonly Link[];
}

/**
 * Takes stock of an extension: its components with what the lock says of them, its files, and every Go module that is linked into a program
 * of it, read out of the program. Modules that were only needed to build are not in the extension and not listed: the provenance has them.
 */
export function takeInventory(request: SbomRequest): Inventory {
  const { recipe, version, architecture, locked, image } = request;
  const parts = new Map<string, Part>();
  const links = new Map<string, Link>();
  const link = (from: string, type: Link['type'], to: string) => {
    links.set(`${from} ${type} ${to}`, { from, type, to });
  };
  const owners = new Map<string, string>();
  const extension: Part = {
    id: safeId(`extension-${recipe.name}`),
    name: recipe.name,
    version,
    kind: 'extension',
    sha256: image.sha256,
    comment: `System extension ${image.file} for ${architecture}`,
  };
  const add = (part: Part, within: string | undefined, type: Link['type']): string => {
    const before = parts.get(part.id);
    parts.set(part.id, before === undefined ? part : { ...part, ...before });
    if (within !== undefined) link(within, type, part.id);
    return part.id;
  };

  for (const component of locked.components) {
    const id = add(componentPart(recipe, component, architecture), extension.id, 'CONTAINS');
    owners.set(component.name, id);
    if (component.type === 'debian') continue; // The package is the component.
    for (const input of component.inputs) {
      const part = inputPart(input);
      if (part !== undefined) add(part, id, 'GENERATED_FROM');
    }
  }
  const distribution = add(distributionPart(recipe, version), extension.id, 'CONTAINS');
  owners.set('hook', distribution);
  for (const input of locked.hookDownloads) {
    const part = inputPart(input);
    if (part !== undefined) add(part, distribution, 'GENERATED_FROM');
  }
  const program = add(NODE_PROGRAM, extension.id, 'CONTAINS');
  owners.set(NODE_PROGRAM_COMPONENT, program);
  for (const library of nodeProgramLibraries(architecture)) add(library, program, 'STATIC_LINK');

  const archives = moduleArchives(locked);
  const files = request.files.map((file) => ({ ...file, id: fileId(file.path) }));
  for (const file of files) {
    link(extension.id, 'CONTAINS', file.id);
    const owner = owners.get(file.component);
    if (owner !== undefined) link(file.id, 'GENERATED_FROM', owner);
    const builtAs = locked.components.find(({ name }) => name === file.component);
    for (const part of goParts(file, builtAs, archives)) add(part, file.id, 'STATIC_LINK');
  }
  return { extension, parts: [...parts.values()], files, links: [...links.values()] };
}

function componentPart(recipe: Recipe, component: LockedComponent, architecture: Architecture): Part {
  const { license, standin, source } = findComponent(recipe, component.name) ?? {};
  const { name, version } = component;
  let purl: string | undefined;
  if (source?.type === 'github-release' && !standin) purl = githubPurl(source.repository, version);
  if (source?.type === 'debian') purl = debianPurl(source.package, version, architecture, source.suite);
  const [input] = source?.type === 'debian' ? component.inputs : [];
  return {
    id: safeId(`component-${name}`),
    name,
    version,
    kind: 'component',
    ...(purl === undefined ? {} : { purl }),
    ...(license === undefined ? {} : { license }),
    ...(input === undefined ? {} : located(input)),
    ...(standin ? { comment: 'A stand-in: test equipment, not the real component' } : {}),
  };
}

const DISTRIBUTION_REPOSITORIES: Readonly<Record<string, string>> = {
  k3s: 'k3s-io/k3s',
  k0s: 'k0sproject/k0s',
};

function distributionPart({ distribution, provider }: Recipe, version: string): Part {
  const repository = distribution.repository ?? DISTRIBUTION_REPOSITORIES[distribution.name];
  return {
    id: safeId(`distribution-${distribution.name}`),
    name: distribution.name,
    version,
    kind: 'component',
    ...(repository === undefined || distribution.standin ? {} : { purl: githubPurl(repository, version) }),
    comment: `Laid down by the build hook of ${provider.component}${distribution.standin ? '; a stand-in (test equipment)' : ''}`,
  };
}

const NODE_PROGRAM: Part = {
  id: safeId(`component-${NODE_PROGRAM_COMPONENT}`),
  name: NODE_PROGRAM_COMPONENT,
  version: VERSION,
  kind: 'component',
  license: 'Apache-2.0',
};

/** Debian packages whose libraries are linked into sextant-node. */
const LIBRARY_LICENSES: Readonly<Record<string, string>> = {
  'musl-dev': 'MIT',
  'libgcc-14-dev': 'GPL-3.0-or-later WITH GCC-exception-3.1',
};

function nodeProgramLibraries(architecture: Architecture): Part[] {
  const { version, license, source } = PINS.quickjs;
  const libraries = PINS.target[architecture].inputs.flatMap((input) => {
    const part = inputPart(input, PINS.target[architecture].suite);
    const known = part === undefined ? undefined : LIBRARY_LICENSES[part.name];
    return part === undefined ? [] : [{ ...part, ...(known === undefined ? {} : { license: known }) }];
  });
  const id = safeId(`quickjs-${source.sha256.slice(0, 12)}`);
  return [{ id, name: 'quickjs', version, kind: 'library', license, ...located(source) }, ...libraries];
}

/** A locked input as a part; undefined for what is no software of its own, and for Go modules: programs say which are in them. */
function inputPart(input: LockedBlob, suite?: string): Part | undefined {
  if (input.url.startsWith('go:')) return undefined;
  const short = input.sha256.slice(0, 12);
  const debian = /([^/_]+)_([^/_]+)_([^/_]+)\.deb$/.exec(input.url);
  if (debian?.[1] && debian[2] && debian[3]) {
    const [, name, version, architecture] = debian as unknown as [string, string, string, string];
    const plain = decodeURIComponent(version);
    return {
      id: safeId(`deb-${name}-${architecture}-${short}`),
      name,
      version: plain,
      kind: 'library',
      purl: debianPurl(name, plain, architecture, suite),
      ...located(input),
    };
  }
  const last = input.url.replace(/\/+$/, '').split('/').at(-1);
  const name = decodeURIComponent(last || input.url);
  return {
    id: safeId(`download-${name}-${short}`),
    name,
    version: short,
    kind: 'download',
    ...located(input),
  };
}

function located({ url, sha256: digest }: LockedBlob): Pick<Part, 'sha256' | 'downloadLocation'> {
  return { sha256: digest, ...(/^https?:\/\/[^/]+\.[^/]/.test(url) ? { downloadLocation: url } : {}) };
}

/** SHA-256 of the archives that Go modules were built from, by "path@version". */
function moduleArchives({ components }: LockedArchitecture): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { url, sha256: digest } of components.flatMap(({ inputs }) => inputs)) {
    const module = /^go:(.+@[^@]+)\.zip$/.exec(url)?.[1];
    if (module !== undefined) found.set(module, digest);
  }
  return found;
}

/** Go's own standard library, the program's module and every module linked with it. */
function goParts(
  { go }: SbomFile,
  builtAs: LockedComponent | undefined,
  archives: ReadonlyMap<string, string>,
): Part[] {
  if (go === undefined) return [];
  const standard = /^go(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)/.exec(go.goVersion)?.[1];
  const modules = go.main === undefined ? go.modules : [mainModule(go.main, builtAs), ...go.modules];
  return [
    ...(standard === undefined ? [] : [modulePart({ path: 'stdlib', version: standard }, archives)]),
    ...modules.map((module) => modulePart(module, archives)),
  ];
}

/** A program that was built out of a work tree does not know its version; the lock does, where the component is that module. */
function mainModule(main: GoModule, builtAs: LockedComponent | undefined): GoModule {
  if (main.version !== '(devel)' && main.version !== '') return main;
  return builtAs?.type === 'go-module' && /^v\d/.test(builtAs.version)
    ? { path: main.path, version: builtAs.version }
    : main;
}

function modulePart({ path, version }: GoModule, archives: ReadonlyMap<string, string>): Part {
  const known = version === '' || version === '(devel)' ? undefined : version;
  const archive = archives.get(`${path}@${version}`);
  return {
    id: safeId(`go-${path}-${known ?? 'devel'}`),
    name: path,
    version: known ?? '(devel)',
    kind: 'library',
    purl: goPurl(path, known),
    ...(archive === undefined ? {} : { sha256: archive }),
  };
}

function fileId(path: string): string {
  return `file-${sha256(path).slice(0, 20)}`;
}

/** Letters, digits, dots and dashes (SPDX 2.3, 7.2); what is replaced is told apart by a digest. */
function safeId(text: string): string {
  const safe = text.replace(/[^A-Za-z0-9.-]/g, '-');
  return safe === text ? text : `${safe}-${sha256(text).slice(0, 8)}`;
}
