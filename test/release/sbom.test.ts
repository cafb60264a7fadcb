import { expect, test } from 'vitest';
import { recipeSchema } from '../../src/recipe/schema.ts';
import { sbomText } from '../../src/release/sbom.ts';

const recipe = recipeSchema.parse({
  distribution: { name: 'k3s', version: 'v1.36.3+k3s1', standin: true },
  provider: { component: 'edgevpn' },
  components: [
    {
      name: 'edgevpn',
      license: 'Apache-2.0',
      source: { type: 'go-module', module: 'a.b/edgevpn', version: 'v0.30.2', binary: 'edgevpn' },
    },
    { name: 'runc', source: { type: 'debian', package: 'runc' } },
  ],
});
const blob = (url: string, digit: string) => ({ url, size: 1, sha256: digit.repeat(64) });
const document = () =>
  JSON.parse(
    sbomText({
      recipe,
      version: 'v1.36.3+k3s1',
      architecture: 'amd64',
      locked: {
        components: [
          {
            name: 'edgevpn',
            type: 'go-module',
            version: 'v0.30.2',
            inputs: [
              blob('go:a.b/edgevpn@v0.30.2.zip', '1'),
              blob('go:a.b/edgevpn@v0.30.2.mod', '2'),
              blob('go:c.d/x@v1.0.0+incompatible.zip', '3'),
            ],
          },
          {
            name: 'runc',
            type: 'debian',
            version: '1.1.15+ds1-2',
            inputs: [blob('http://archive/pool/main/r/runc/runc_1.1.15+ds1-2_amd64.deb', '4')],
          },
        ],
        hookDownloads: [blob('https://get.k3s.io/', '5')],
      },
      entries: [
        {
          path: '/usr/bin/edgevpn',
          kind: 'file',
          mode: 0o755,
          size: 1,
          sha256: '6'.repeat(64),
          disposition: 'delivered',
          component: 'edgevpn',
        },
        {
          path: '/tmp/x',
          kind: 'file',
          mode: 0o644,
          size: 1,
          sha256: '7'.repeat(64),
          disposition: 'dropped',
          component: 'hook',
        },
      ],
      sha1s: new Map([['/usr/bin/edgevpn', '9'.repeat(40)]]),
      image: { file: 'e.sysext.raw', sha256: '8'.repeat(64) },
      timestamp: 315532800,
    }),
  );

test('every locked input is a package with its digest and its package address', () => {
  const { packages } = document();
  const purls = packages.flatMap((entry: { externalRefs?: { referenceLocator: string }[] }) =>
    (entry.externalRefs ?? []).map(({ referenceLocator }) => referenceLocator),
  );
  expect(purls).toEqual([
    'pkg:golang/a.b/edgevpn@v0.30.2',
    'pkg:golang/c.d/x@v1.0.0%2Bincompatible',
    'pkg:deb/debian/runc@1.1.15%2Bds1-2?arch=amd64',
    expect.stringMatching(/^pkg:deb\/debian\/musl-dev@.*arch=amd64$/),
    expect.stringMatching(/^pkg:deb\/debian\/libgcc-14-dev@.*arch=amd64$/),
  ]);
  expect(packages.map(({ name }: { name: string }) => name)).toEqual([
    'provider-kairos',
    'edgevpn',
    'a.b/edgevpn',
    'c.d/x',
    'runc',
    'runc',
    'k3s',
    'get.k3s.io',
    'sextant-node',
    'quickjs',
    'musl-dev',
    'libgcc-14-dev',
  ]);
});

test('delivered files belong to their component, dropped ones are not listed', () => {
  const { files, relationships } = document();
  expect(files).toHaveLength(1);
  expect(files[0]).toMatchObject({
    fileName: './usr/bin/edgevpn',
    checksums: [{ checksumValue: '9'.repeat(40) }, { checksumValue: '6'.repeat(64) }],
  });
  expect(relationships).toContainEqual({
    spdxElementId: files[0].SPDXID,
    relationshipType: 'GENERATED_FROM',
    relatedSpdxElement: 'SPDXRef-component-edgevpn',
  });
  expect(relationships).toContainEqual({
    spdxElementId: 'SPDXRef-extension-provider-kairos',
    relationshipType: 'CONTAINS',
    relatedSpdxElement: files[0].SPDXID,
  });
});

test('every relationship leads to something in the document', () => {
  const { packages, files, relationships } = document();
  const known = new Set([
    'SPDXRef-DOCUMENT',
    ...[...packages, ...files].map(({ SPDXID }: { SPDXID: string }) => SPDXID),
  ]);
  for (const { spdxElementId, relatedSpdxElement } of relationships) {
    expect(known).toContain(spdxElementId);
    expect(known).toContain(relatedSpdxElement);
  }
  expect(known.size).toBe(packages.length + files.length + 1);
});

test('a stand-in says so, and the licence that the recipe names is declared', () => {
  const { packages } = document();
  expect(packages.find(({ name }: { name: string }) => name === 'k3s').comment).toContain('stand-in');
  expect(packages.find(({ name }: { name: string }) => name === 'edgevpn').licenseDeclared).toBe(
    'Apache-2.0',
  );
});

test('sextant-node names what is linked into it, with version and licence', () => {
  const { packages, relationships } = document();
  const linked = relationships.filter(
    ({ relationshipType }: { relationshipType: string }) => relationshipType === 'STATIC_LINK',
  );
  const named = linked.map(({ relatedSpdxElement }: { relatedSpdxElement: string }) =>
    packages.find(({ SPDXID }: { SPDXID: string }) => SPDXID === relatedSpdxElement),
  );
  expect(
    linked.every(({ spdxElementId }: { spdxElementId: string }) => /-sextant-node$/.test(spdxElementId)),
  ).toBe(true);
  expect(named).toEqual([
    expect.objectContaining({ name: 'quickjs', versionInfo: '2025.04.26', licenseDeclared: 'MIT' }),
    expect.objectContaining({ name: 'musl-dev', licenseDeclared: 'MIT' }),
    expect.objectContaining({
      name: 'libgcc-14-dev',
      licenseDeclared: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    }),
  ]);
});
