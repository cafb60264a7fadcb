import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderActivation } from '../activation/render.ts';
import type { ActivationInput } from '../activation/types.ts';
import { SextantError } from '../support/errors.ts';
import type { Release } from './types.ts';

/** What a person may choose for a node; the rest comes from the release. */
export interface ActivationChoices {
  /** Folder address the release is served from; the default is what it was built for. */
  readonly url?: string;
  readonly node?: ActivationInput['node'];
  /** Require signatures: the node trusts this PEM certificate, or the release's own. */
  readonly strict?: { readonly certificatePem?: string };
  readonly proxy?: ActivationInput['proxy'];
  readonly caCertificatePem?: string;
  readonly mergeTimeoutSeconds?: number;
}

/** The cloud-config of a release, for a single node of its distribution unless chosen otherwise. */
export async function releaseActivation(
  release: Release,
  folder: string,
  choices: ActivationChoices = {},
): Promise<string> {
  const base = (choices.url ?? release.url).replace(/\/+$/, '');
  const images: ActivationInput['images'] = {};
  for (const { architecture, file, sha256, size, rootHash } of release.images) {
    images[architecture] = {
      url: `${base}/${encodeURIComponent(file)}`,
      fileName: file,
      sha256,
      size,
      rootHash,
    };
  }
  return renderActivation({
    extensionName: release.name,
    images,
    kubernetesVersion: release.version,
    trust: await trust(release, folder, choices.strict),
    node: choices.node ?? defaultNode(release.distribution),
    ...(choices.proxy === undefined ? {} : { proxy: choices.proxy }),
    ...(choices.caCertificatePem === undefined ? {} : { caCertificatePem: choices.caCertificatePem }),
    ...(choices.mergeTimeoutSeconds === undefined
      ? {}
      : { mergeTimeoutSeconds: choices.mergeTimeoutSeconds }),
  });
}

function defaultNode(distribution: string): NonNullable<ActivationInput['node']> {
  if (distribution === 'k3s') return { k3s: { enabled: true } };
  return distribution === 'k0s' ? { k0s: { enabled: true } } : {};
}

async function trust(
  release: Release,
  folder: string,
  strict: ActivationChoices['strict'],
): Promise<NonNullable<ActivationInput['trust']>> {
  if (strict === undefined) return { mode: 'pin' };
  const unsigned = release.images.filter(({ signature }) => signature === undefined);
  if (unsigned.length > 0) {
    throw new SextantError(
      'input',
      `${folder}: ${unsigned[0]?.file} is not signed, a strict node would refuse it`,
      {
        hint: 'build with `signing:` in the recipe, or leave --strict away: the root hash is pinned all the same',
      },
    );
  }
  const given = strict.certificatePem;
  if (given !== undefined) return { mode: 'strict', certificatePem: given };
  const files = [release.certificate ?? '', ...(release.alsoTrust ?? [])];
  const certificates = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return { mode: 'strict', certificatePem: certificates.join('') };
}
