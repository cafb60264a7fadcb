import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderActivation } from '../activation/render.ts';
import { SextantError } from '../support/errors.ts';
import { activationInputOf, type NodeChoices } from './activation-input.ts';
import type { Release } from './types.ts';

/** What a person may choose for a node; the rest comes from the release. */
export interface ActivationChoices extends Omit<NodeChoices, 'strict'> {
  /** Require signatures: the node trusts this PEM certificate, or the release's own; or what its firmware's db holds and no file. */
  readonly strict?: { readonly certificatePem?: string } | 'firmware';
}

/** The cloud-config of a release, for a single node of its distribution unless chosen otherwise. */
export async function releaseActivation(
  release: Release,
  folder: string,
  { strict, ...choices }: ActivationChoices = {},
): Promise<string> {
  const trusted = strict === undefined ? undefined : await strictTrust(release, folder, strict);
  return renderActivation(
    activationInputOf(release, { ...choices, ...(trusted === undefined ? {} : { strict: trusted }) }),
  );
}

async function strictTrust(
  release: Release,
  folder: string,
  strict: NonNullable<ActivationChoices['strict']>,
): Promise<NonNullable<NodeChoices['strict']>> {
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
  if (strict === 'firmware') return {};
  const given = strict.certificatePem;
  if (given !== undefined) return { certificatePem: given };
  const files = [release.certificate ?? '', ...(release.alsoTrust ?? [])];
  return {
    certificatePem: (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join(''),
  };
}
