import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { LockedArchitecture, LockedBlob, LockedComponent } from '../lock/types.ts';
import { findComponent } from '../recipe/load.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Architecture } from '../support/architecture.ts';
import { fileHash, sha256 } from '../support/files.ts';
import { VERSION } from '../support/version.ts';
import { NODE_PROGRAM_COMPONENT } from '../tree/self-activation.ts';
import type { TreeEntry } from '../tree/types.ts';
import { PINS } from './node-program/pins.ts';

interface SbomRequest {
  readonly recipe: Recipe;
  readonly version: string;
  readonly architecture: Architecture;
  readonly locked: LockedArchitecture;
  readonly entries: readonly TreeEntry[];
  /** SHA-1 of each file of the extension, by path: SPDX 2.3 demands it (8.4). */
  readonly sha1s: ReadonlyMap<string, string>;
  readonly image: { readonly file: string; readonly sha256: string };
  /** Seconds since 1970 written as the time of creation. */
  readonly timestamp: number;
}

interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: boolean;
  readonly packageVerificationCode?: { readonly packageVerificationCodeValue: string };
  readonly licenseInfoFromFiles?: readonly string[];
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly copyrightText: string;
  readonly checksums?: readonly { readonly algorithm: 'SHA256'; readonly checksumValue: string }[];
  readonly externalRefs?: readonly object[];
  readonly comment?: string;
}

/** SHA-1 of the files that a bill of materials lists, out of the extension's tree. */
export async function sha1sOf(
  root: string,
  entries: readonly TreeEntry[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const sha1s = new Map<string, string>();
  for (const { path } of entries.filter(isListed)) {
    sha1s.set(path, (await fileHash(join(root, path), 'sha1', signal)).digest);
  }
  return sha1s;
}

function isListed({ kind, disposition, sha256: digest }: TreeEntry): boolean {
  return kind === 'file' && disposition !== 'dropped' && digest !== undefined;
}

/**
 * The bill of materials of one extension: SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/). The extension contains its components and
 * files; a file is generated from the component it came with, a component from what the lock pins for it (archives, packages, every Go
 * module of a build). The same inputs give the same text.
 */
export function sbomText(request: SbomRequest): string {
  const { recipe, version, architecture, locked, entries, image, sha1s } = request;
  const listed = entries.filter(isListed);
  const sha1Of = (entry: TreeEntry) => sha1s.get(entry.path) ?? '';
  const extension: SpdxPackage = {
    ...spdxPackage(`extension-${recipe.name}`, recipe.name, version),
    filesAnalyzed: true,
    // 7.9: SHA-1 of the sorted SHA-1 of all files.
    packageVerificationCode: {
      packageVerificationCodeValue: createHash('sha1')
        .update(listed.map(sha1Of).sort().join(''))
        .digest('hex'),
    },
    licenseInfoFromFiles: ['NOASSERTION'],
    checksums: [{ algorithm: 'SHA256', checksumValue: image.sha256 }],
    comment: `System extension ${image.file} for ${architecture}`,
  };
  const packages = new Map<string, SpdxPackage>([[extension.SPDXID, extension]]);
  const relationships = [relation('SPDXRef-DOCUMENT', 'DESCRIBES', extension.SPDXID)];
  const owners = new Map<string, string>();

  for (const component of locked.components) {
    const described = componentPackage(recipe, component);
    packages.set(described.SPDXID, described);
    owners.set(component.name, described.SPDXID);
    relationships.push(relation(extension.SPDXID, 'CONTAINS', described.SPDXID));
    for (const input of component.inputs) {
      const made = inputPackage(input);
      if (made === undefined) continue;
      packages.set(made.SPDXID, made);
      relationships.push(relation(described.SPDXID, 'GENERATED_FROM', made.SPDXID));
    }
  }
  const distribution = {
    ...spdxPackage(`distribution-${recipe.distribution.name}`, recipe.distribution.name, version),
    comment: `Laid down by the build hook of ${recipe.provider.component}${recipe.distribution.standin ? '; a stand-in (test equipment)' : ''}`,
  };
  packages.set(distribution.SPDXID, distribution);
  owners.set('hook', distribution.SPDXID);
  relationships.push(relation(extension.SPDXID, 'CONTAINS', distribution.SPDXID));
  for (const input of locked.hookDownloads) {
    const made = inputPackage(input);
    if (made === undefined) continue;
    packages.set(made.SPDXID, made);
    relationships.push(relation(distribution.SPDXID, 'GENERATED_FROM', made.SPDXID));
  }

  for (const [described, type, of] of nodeProgramPackages(architecture)) {
    packages.set(described.SPDXID, described);
    relationships.push(relation(of ?? extension.SPDXID, type, described.SPDXID));
    if (of === undefined) owners.set(NODE_PROGRAM_COMPONENT, described.SPDXID);
  }

  const files = listed.map((entry) => ({
    SPDXID: `SPDXRef-file-${sha256(entry.path).slice(0, 20)}`,
    fileName: `.${entry.path}`,
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1Of(entry) },
      { algorithm: 'SHA256', checksumValue: entry.sha256 },
    ],
    licenseConcluded: 'NOASSERTION',
    licenseInfoInFiles: ['NOASSERTION'],
    copyrightText: 'NOASSERTION',
  }));
  files.forEach(({ SPDXID }, index) => {
    relationships.push(relation(extension.SPDXID, 'CONTAINS', SPDXID));
    const owner = owners.get(listed[index]?.component ?? '');
    if (owner !== undefined) relationships.push(relation(SPDXID, 'GENERATED_FROM', owner));
  });

  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: image.file,
    documentNamespace: `https://sextant.invalid/spdx/${image.sha256}`,
    creationInfo: {
      created: new Date(request.timestamp * 1000).toISOString().replace('.000Z', 'Z'),
      creators: [`Tool: sextant-${VERSION}`],
    },
    packages: [...packages.values()],
    files,
    relationships,
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

function componentPackage(recipe: Recipe, component: LockedComponent): SpdxPackage {
  const { license, standin, source } = findComponent(recipe, component.name) ?? {};
  const purl =
    source?.type === 'github-release' ? `pkg:github/${source.repository}@${component.version}` : undefined;
  return {
    ...spdxPackage(`component-${component.name}`, component.name, component.version, purl),
    licenseDeclared: license ?? 'NOASSERTION',
    ...(standin ? { comment: 'A stand-in: test equipment, not the real component' } : {}),
  };
}

/** sextant-node and what is linked into it: package, relationship, and whose; undefined stands for the extension. */
function nodeProgramPackages(architecture: Architecture): [SpdxPackage, string, string?][] {
  const program = {
    ...spdxPackage(`component-${NODE_PROGRAM_COMPONENT}`, NODE_PROGRAM_COMPONENT, VERSION),
    licenseDeclared: 'Apache-2.0',
  };
  const { version, license, source } = PINS.quickjs;
  const engine = { ...located(source, 'quickjs', 'quickjs', version), licenseDeclared: license };
  const libraries = PINS.target[architecture].inputs.flatMap((input) => inputPackage(input) ?? []);
  return [
    [program, 'CONTAINS'],
    [engine, 'STATIC_LINK', program.SPDXID],
    ...libraries.map((library): [SpdxPackage, string, string] => [
      { ...library, licenseDeclared: LIBRARY_LICENSES[library.name] ?? 'NOASSERTION' },
      'STATIC_LINK',
      program.SPDXID,
    ]),
  ];
}

/** Debian packages whose libraries are linked into sextant-node. */
const LIBRARY_LICENSES: Readonly<Record<string, string>> = {
  'musl-dev': 'MIT',
  'libgcc-14-dev': 'GPL-3.0-or-later WITH GCC-exception-3.1',
};

/** A locked input as a package; undefined for what is not software of its own (module descriptions, checksum files). */
function inputPackage(input: LockedBlob): SpdxPackage | undefined {
  const go = /^go:(.+)@([^@]+?)\.(zip|mod|info)$/.exec(input.url);
  if (go?.[1] && go[2]) {
    if (go[3] !== 'zip') return undefined;
    return located(input, `go-${go[1]}`, go[1], go[2], `pkg:golang/${go[1]}@${encodeURIComponent(go[2])}`);
  }
  const debian = /([^/_]+)_([^/_]+)_([^/_]+)\.deb$/.exec(input.url);
  if (debian?.[1] && debian[2] && debian[3]) {
    const [, name, version, arch] = debian as unknown as [string, string, string, string];
    const plain = decodeURIComponent(version);
    return located(
      input,
      `deb-${name}-${arch}`,
      name,
      plain,
      `pkg:deb/debian/${name}@${encodeURIComponent(plain)}?arch=${arch}`,
    );
  }
  const name = downloadName(input.url);
  return located(input, `download-${name}`, name, input.sha256.slice(0, 12));
}

/** Last part of an address, or its host when there is none. */
function downloadName(url: string): string {
  const last = url.replace(/\/+$/, '').split('/').at(-1);
  return decodeURIComponent(last || url);
}

function located(input: LockedBlob, id: string, name: string, version: string, purl?: string): SpdxPackage {
  return {
    ...spdxPackage(`${id}-${input.sha256.slice(0, 12)}`, name, version, purl),
    downloadLocation: /^https?:/.test(input.url) ? input.url : 'NOASSERTION',
    checksums: [{ algorithm: 'SHA256', checksumValue: input.sha256 }],
  };
}

function spdxPackage(id: string, name: string, version: string, purl?: string): SpdxPackage {
  return {
    SPDXID: `SPDXRef-${id.replace(/[^A-Za-z0-9.-]/g, '-')}`,
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(purl === undefined
      ? {}
      : {
          externalRefs: [
            { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
          ],
        }),
  };
}

function relation(from: string, type: string, to: string) {
  return { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
}
