import type { ActivationInput } from '../activation/types.ts';
import type { Architecture } from '../support/architecture.ts';
import { registryBlob, taggedPlace } from '../support/registry/blob-address.ts';

/** What of a release an activation is made from; the hub page has it from the catalog. */
export interface ActivatedRelease {
  readonly name: string;
  readonly version: string;
  readonly distribution: string;
  /** Folder address that the files are served from. */
  readonly url: string;
  readonly images: readonly {
    readonly architecture: Architecture;
    readonly file: string;
    readonly size: number;
    readonly sha256: string;
    readonly rootHash: string;
  }[];
}

/** What a person may choose for a node; the rest comes from the release. */
export interface NodeChoices {
  /** Folder address the release is served from, or oci://HOST/REPOSITORY:TAG; the default is what it was built for. */
  readonly url?: string;
  readonly node?: ActivationInput['node'];
  /** Require signatures: by the PEM certificate that the node is to trust, or without one by what its firmware's db holds. */
  readonly strict?: { readonly certificatePem?: string };
  readonly proxy?: ActivationInput['proxy'];
  readonly caCertificatePem?: string;
  readonly mergeTimeoutSeconds?: number;
  /** sextant-node takes the node over. */
  readonly adopt?: boolean;
}

/** The input of `renderActivation`: the same for the command line and the page, so that both give the same bytes. */
export function activationInputOf(release: ActivatedRelease, choices: NodeChoices): ActivationInput {
  const base = (choices.url ?? release.url).replace(/\/+$/, '');
  const images: ActivationInput['images'] = {};
  for (const { architecture, file, sha256, size, rootHash } of release.images) {
    const blob = registryBlob(base, sha256);
    images[architecture] = {
      url: blob ?? `${base}/${encodeURIComponent(file)}`,
      ...(blob === undefined ? {} : { place: taggedPlace(base, release.version) }),
      fileName: file,
      sha256,
      size,
      rootHash,
    };
  }
  return {
    extensionName: release.name,
    images,
    kubernetesVersion: release.version,
    trust: choices.strict === undefined ? { mode: 'pin' } : { mode: 'strict', ...choices.strict },
    node: choices.node ?? defaultNode(release.distribution),
    ...(choices.proxy === undefined ? {} : { proxy: choices.proxy }),
    ...(choices.caCertificatePem === undefined ? {} : { caCertificatePem: choices.caCertificatePem }),
    ...(choices.mergeTimeoutSeconds === undefined
      ? {}
      : { mergeTimeoutSeconds: choices.mergeTimeoutSeconds }),
    ...(choices.adopt === undefined ? {} : { adopt: choices.adopt }),
  };
}

function defaultNode(distribution: string): NonNullable<ActivationInput['node']> {
  if (distribution === 'k3s') return { k3s: { enabled: true } };
  return distribution === 'k0s' ? { k0s: { enabled: true } } : {};
}
