import { sha256 } from '../../support/files.ts';
import { VERSION } from '../../support/version.ts';
import { type Inventory, type Part, type SbomRequest, takeInventory } from './inventory.ts';

/**
 * The bill of materials of one extension as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/). What files were taken out of
 * (downloads) is the provenance's to tell: here is only what is in the extension.
 */
export function cyclonedxText(request: SbomRequest, inventory: Inventory = takeInventory(request)): string {
  const { extension, files, links } = inventory;
  const parts = inventory.parts.filter(({ kind }) => kind !== 'download');
  const listed = new Set([extension, ...parts, ...files].map(({ id }) => id));
  const dependsOn = new Map<string, Set<string>>();
  for (const { from, to } of links) {
    if (!listed.has(from) || !listed.has(to)) continue;
    dependsOn.set(from, (dependsOn.get(from) ?? new Set()).add(to));
  }
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${nameUuid(request.image.sha256)}`,
    version: 1,
    metadata: {
      timestamp: new Date(request.timestamp * 1000).toISOString().replace('.000Z', 'Z'),
      tools: { components: [{ type: 'application', name: 'sextant', version: VERSION }] },
      component: component(extension, 'application'),
    },
    components: [
      ...parts.map((part) => component(part, part.kind === 'library' ? 'library' : 'application')),
      ...files.map(({ id, path, sha1, sha256: digest }) => ({
        type: 'file',
        'bom-ref': id,
        name: path,
        hashes: [
          { alg: 'SHA-1', content: sha1 },
          { alg: 'SHA-256', content: digest },
        ],
      })),
    ],
    dependencies: [...dependsOn].map(([ref, on]) => ({ ref, dependsOn: [...on] })),
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

function component({ id, name, version, purl, license, sha256: digest, comment }: Part, type: string) {
  return {
    type,
    'bom-ref': id,
    name,
    version,
    ...(comment === undefined ? {} : { description: comment }),
    ...(digest === undefined ? {} : { hashes: [{ alg: 'SHA-256', content: digest }] }),
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    ...(purl === undefined ? {} : { purl }),
  };
}

/** A UUID made from a text, of version 8 (RFC 9562, section 5.8): the same image has the same. */
function nameUuid(text: string): string {
  const digits = [...sha256(`sextant cyclonedx ${text}`).slice(0, 32)];
  digits[12] = '8';
  digits[16] = (8 + (Number.parseInt(digits[16] ?? '0', 16) % 4)).toString(16);
  return digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
