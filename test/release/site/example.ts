import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { addReleases, yankRelease } from '../../../src/release/catalog/add.ts';
import type { Context } from '../../../src/support/context.ts';
import { silent } from '../../../src/support/progress.ts';
import { makeSigner, type SigningFiles } from '../../image/fixture.ts';
import { type ExampleRelease, makeRelease } from '../catalog/example.ts';

export interface ExampleCatalog {
  readonly folder: string;
  readonly signer: SigningFiles;
  readonly context: Context;
}

/** The newest of the signed ones, in a folder of that name. */
export const NEWEST = 'v1.36.3+k3s1';

/** A catalog with what a catalog can have: signed and not, yanked, two distributions, stand-ins, artifacts for Kairos. */
export async function exampleCatalog(there: string): Promise<ExampleCatalog> {
  const context = { cache: join(there, 'cache'), progress: silent, signal: new AbortController().signal };
  const signer = makeSigner(there, 'release');
  chmodSync(signer.key, 0o600);
  const both = ['amd64', 'arm64'] as const;
  const examples: ExampleRelease[] = [
    {
      version: 'v1.34.7+k3s1',
      components: { 'provider-kairos': 'v2.16.3', edgevpn: 'v0.34.0', k3s: 'v1.34.7+k3s1' },
    },
    { version: 'v1.35.3+k3s1', architectures: both },
    { version: 'v1.35.6+k3s1', architectures: both, standin: true },
    { version: 'v1.36.2+k3s1', architectures: both, signing: signer },
    { version: NEWEST, architectures: both, signing: signer, files: FILES },
    { version: 'v1.36.1+k0s.0', files: { '/usr/bin/k0s': [260_000_000, 'hook'] } },
  ];
  for (const example of examples) await makeRelease(join(there, example.version), example, context);
  const folder = join(there, 'catalog');
  const releases = examples.map(({ version }) => join(there, version));
  await addReleases({ folder, releases, title: 'Example fleet', key: signer.key }, context);
  const oci = (character: string) => `registry.example.org/k8s@sha256:${character.repeat(64)}`;
  const newest = { folder, releases: [join(there, NEWEST)], key: signer.key };
  await addReleases({ ...newest, oci: { amd64: oci('4'), arm64: oci('a') } }, context);
  const why = 'loses <IPv6> addresses & routes';
  await yankRelease({ folder, version: 'v1.36.2+k3s1', why, key: signer.key });
  return { folder, signer, context };
}

const FILES: NonNullable<ExampleRelease['files']> = {
  '/usr/bin/edgevpn': [37_200_000, 'edgevpn'],
  '/usr/bin/k3s': [71_400_000, 'hook'],
  '/usr/bin/k3s-killall.sh': [2400, 'hook'],
  '/usr/lib/kairos/providers/agent-provider-kairos': [24_000_000, 'provider-kairos'],
  '/usr/lib/sextant/activate': [3100, 'sextant'],
};
