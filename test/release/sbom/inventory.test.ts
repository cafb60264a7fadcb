import { expect, test } from 'vitest';
import { cyclonedxText } from '../../../src/release/sbom/cyclonedx.ts';
import { takeInventory } from '../../../src/release/sbom/inventory.ts';
import { spdxText } from '../../../src/release/sbom/spdx.ts';
import { EXAMPLE } from './example.ts';

const spdx = () => JSON.parse(spdxText(EXAMPLE));
const cyclonedx = () => JSON.parse(cyclonedxText(EXAMPLE));
interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly externalRefs?: { readonly referenceLocator: string }[];
}

test('every Go module in a program and every Debian package is listed with its package address', () => {
  const expected = [
    'pkg:deb/debian/runc@1:1.1.15%2Bds1-2?arch=amd64&distro=debian-13',
    expect.stringMatching(/^pkg:deb\/debian\/musl-dev@.*arch=amd64&distro=debian-13$/),
    expect.stringMatching(/^pkg:deb\/debian\/libgcc-14-dev@.*arch=amd64&distro=debian-13$/),
    'pkg:golang/stdlib@1.26.8',
    'pkg:golang/a.b/edgevpn@v0.30.2',
    'pkg:golang/c.d/x@v1.0.0%2Bincompatible',
    'pkg:golang/g.h/local',
  ];
  expect(takeInventory(EXAMPLE).parts.flatMap(({ purl }) => purl ?? [])).toEqual(expected);
  expect(
    spdx().packages.flatMap(({ externalRefs = [] }: SpdxPackage) =>
      externalRefs.map(({ referenceLocator }) => referenceLocator),
    ),
  ).toEqual(expected);
  expect(cyclonedx().components.flatMap(({ purl }: { purl?: string }) => purl ?? [])).toEqual(expected);
});

test('a module that was only needed to build is not in the extension', () => {
  expect(spdxText(EXAMPLE)).not.toContain('only-for-tests');
  expect(cyclonedxText(EXAMPLE)).not.toContain('only-for-tests');
});

test('a module is linked into the file that holds it, with the digest of the archive it was built from', () => {
  const { parts, files, links } = takeInventory(EXAMPLE);
  const module = parts.find(({ name }) => name === 'c.d/X');
  expect(module).toMatchObject({ version: 'v1.0.0+incompatible', sha256: '3'.repeat(64) });
  expect(links).toContainEqual({ from: files[0]?.id, type: 'STATIC_LINK', to: module?.id });
});

test('files belong to their component, and the extension contains them', () => {
  const { files, relationships } = spdx();
  expect(files).toHaveLength(2);
  expect(files[0]).toMatchObject({
    fileName: './usr/bin/edgevpn',
    checksums: [{ checksumValue: '9'.repeat(40) }, { checksumValue: '6'.repeat(64) }],
  });
  for (const [from, type, to] of [
    [files[0].SPDXID, 'GENERATED_FROM', 'SPDXRef-component-edgevpn'],
    ['SPDXRef-extension-provider-kairos', 'CONTAINS', files[0].SPDXID],
  ]) {
    expect(relationships).toContainEqual({
      spdxElementId: from,
      relationshipType: type,
      relatedSpdxElement: to,
    });
  }
});

test('every relationship leads to something in the document, and no name stands for two things', () => {
  const { packages, files, relationships } = spdx();
  const known = new Set([
    'SPDXRef-DOCUMENT',
    ...[...packages, ...files].map(({ SPDXID }: SpdxPackage) => SPDXID),
  ]);
  for (const { spdxElementId, relatedSpdxElement } of relationships) {
    expect(known).toContain(spdxElementId);
    expect(known).toContain(relatedSpdxElement);
  }
  expect(known.size).toBe(packages.length + files.length + 1);
  const { components, dependencies, metadata } = cyclonedx();
  const listed = new Set([metadata.component, ...components].map((one) => one['bom-ref']));
  expect(listed.size).toBe(components.length + 1);
  for (const { ref, dependsOn } of dependencies) {
    for (const name of [ref, ...dependsOn]) expect(listed).toContain(name);
  }
});

test('a stand-in says so, and the licence that the recipe names is declared', () => {
  const named = (name: string) => spdx().packages.find((one: SpdxPackage) => one.name === name);
  expect(named('k3s').comment).toContain('stand-in');
  expect(named('edgevpn').licenseDeclared).toBe('Apache-2.0');
  const component = cyclonedx().components.find((one: { name: string }) => one.name === 'edgevpn');
  expect(component.licenses).toEqual([{ expression: 'Apache-2.0' }]);
});

test('sextant-node names what is linked into it, with version and licence', () => {
  const { parts, links } = takeInventory(EXAMPLE);
  const linked = links.filter(
    ({ from, type }) => type === 'STATIC_LINK' && from === 'component-sextant-node',
  );
  expect(linked.map(({ to }) => parts.find(({ id }) => id === to))).toEqual([
    expect.objectContaining({ name: 'quickjs', version: '2025.04.26', license: 'MIT' }),
    expect.objectContaining({ name: 'musl-dev', license: 'MIT' }),
    expect.objectContaining({
      name: 'libgcc-14-dev',
      license: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    }),
  ]);
});

test('the same extension gives the same documents', () => {
  expect(spdxText(EXAMPLE)).toBe(spdxText(structuredClone(EXAMPLE)));
  expect(cyclonedxText(EXAMPLE)).toBe(cyclonedxText(structuredClone(EXAMPLE)));
});
