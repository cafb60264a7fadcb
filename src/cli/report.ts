import { isRegistryPlace } from '../release/address.ts';
import type { Release } from '../release/types.ts';
import { bytesText } from '../support/progress.ts';
import { commandName } from './name.ts';
import { table } from './print.ts';

/** What was built, from what, and what to do next: the end of `sextant build`. */
export function releaseReport(
  release: Release,
  about: { readonly folder: string; readonly recipe: string; readonly fresh: boolean },
): string {
  const { folder } = about;
  const [first] = release.images;
  const lines = [
    '',
    `${about.fresh ? 'Built' : 'Up to date:'} ${release.name}: ${release.distribution} ${release.version}${release.standin ? ' (with stand-ins: for tests only)' : ''}, from ${about.recipe}`,
    '',
    table(
      [
        ...release.images.map(({ architecture, file, size, rootHash }) => [
          `  ${folder}/${file}`,
          bytesText(size),
          architecture,
          `root hash ${rootHash.slice(0, 16)}...`,
        ]),
        [`  ${folder}/${release.activation}`, '', '', 'the one file a node needs'],
        [`  ${folder}/SHA256SUMS, release.json, ${release.provenance}, *.spdx.json, *.cdx.json`],
        ...(release.checksumsSignature === undefined
          ? []
          : [
              [
                `  ${folder}/${release.checksumsSignature}, ${release.certificate}, ${release.publicKey}`,
                '',
                '',
                'signed',
              ],
            ]),
      ],
      [1],
    ),
    '',
    'Components:',
    table(
      (first?.components ?? []).map(({ name, version, type, standin }) => [
        `  ${name}`,
        version,
        type,
        standin ? 'stand-in (test equipment)' : '',
      ]),
    ),
    '',
    'Next:',
    `  ${commandName()} inspect ${folder}/${first?.file ?? '*.raw'}`,
    `  ${commandName()} verify ${folder}`,
    isRegistryPlace(release.url)
      ? `  ${commandName()} publish ${release.url} ${folder},`
      : `  serve the folder at ${release.url} (\`python3 -m http.server --directory ${folder} 8080\` for a try),`,
    '  or write the file for another address and node:',
    `    ${commandName()} activation ${folder} --url https://example.org/${release.name} --k3s --adopt --output activation.yaml`,
    '  on an installed Kairos core node: put activation.yaml in /oem/90_sextant.yaml and reboot',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
