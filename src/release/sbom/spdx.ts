import { createHash } from 'node:crypto';
import { VERSION } from '../../support/version.ts';
import { type Inventory, type Part, type SbomRequest, takeInventory } from './inventory.ts';

/** The bill of materials of one extension as SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/). */
export function spdxText(request: SbomRequest, inventory: Inventory = takeInventory(request)): string {
  const { extension, parts, files, links } = inventory;
  const { image, timestamp } = request;
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: image.file,
    documentNamespace: `https://sextant.invalid/spdx/${image.sha256}`,
    creationInfo: {
      created: new Date(timestamp * 1000).toISOString().replace('.000Z', 'Z'),
      creators: [`Tool: sextant-${VERSION}`],
    },
    packages: [
      {
        ...spdxPackage(extension),
        filesAnalyzed: true,
        // 7.9: SHA-1 of the sorted SHA-1 of all files.
        packageVerificationCode: {
          packageVerificationCodeValue: createHash('sha1')
            .update(
              files
                .map(({ sha1 }) => sha1)
                .sort()
                .join(''),
            )
            .digest('hex'),
        },
        licenseInfoFromFiles: ['NOASSERTION'],
      },
      ...parts.map(spdxPackage),
    ],
    files: files.map(({ id, path, sha1, sha256 }) => ({
      SPDXID: reference(id),
      fileName: `.${path}`,
      checksums: [
        { algorithm: 'SHA1', checksumValue: sha1 },
        { algorithm: 'SHA256', checksumValue: sha256 },
      ],
      licenseConcluded: 'NOASSERTION',
      licenseInfoInFiles: ['NOASSERTION'],
      copyrightText: 'NOASSERTION',
    })),
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', reference(extension.id)),
      ...links.map(({ from, type, to }) => relation(reference(from), type, reference(to))),
    ],
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

const reference = (id: string) => `SPDXRef-${id}`;

function spdxPackage({ id, name, version, purl, license, sha256, downloadLocation, comment }: Part) {
  return {
    SPDXID: reference(id),
    name,
    versionInfo: version,
    downloadLocation: downloadLocation ?? 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: license ?? 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(sha256 === undefined ? {} : { checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }] }),
    ...(purl === undefined
      ? {}
      : {
          externalRefs: [
            { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
          ],
        }),
    ...(comment === undefined ? {} : { comment }),
  };
}

function relation(from: string, type: string, to: string) {
  return { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
}
