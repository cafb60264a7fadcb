import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { releaseActivation } from '../../../src/release/activation.ts';
import { checksumsText } from '../../../src/release/checksums.ts';
import type { Release, ReleasedImage } from '../../../src/release/types.ts';
import type { Architecture } from '../../../src/support/architecture.ts';
import type { Context } from '../../../src/support/context.ts';
import { fileDigest, sha256 } from '../../../src/support/files.ts';
import { type SigningFiles, seal } from '../../image/fixture.ts';

export interface ExampleRelease {
  readonly version: string;
  readonly name?: string;
  readonly architectures?: readonly Architecture[];
  readonly standin?: boolean;
  readonly url?: string;
  readonly signing?: SigningFiles;
  /** Versions of components; the default has three. */
  readonly components?: Readonly<Record<string, string>>;
  /** Paths with their sizes and components; the default has four. */
  readonly files?: Readonly<Record<string, readonly [bytes: number, component: string]>>;
}

const FILES: NonNullable<ExampleRelease['files']> = {
  '/usr/bin/edgevpn': [37_000_000, 'edgevpn'],
  '/usr/bin/k3s': [71_000_000, 'hook'],
  '/usr/lib/kairos/providers/agent-provider-kairos': [24_000_000, 'provider-kairos'],
  '/usr/lib/systemd/system/k3s.service': [900, 'hook'],
};

/** Size of the one file in fixtures/manifest.erofs.gz. */
const MANIFEST_BYTES = 262_144;

/** An erofs file system that holds a manifest and nothing else: that of fixtures/, its one file replaced. */
function fileSystem(manifest: object): Buffer {
  const image = gunzipSync(readFileSync('test/release/catalog/fixtures/manifest.erofs.gz'));
  const at = image.indexOf('#'.repeat(4096));
  const text = Buffer.from(JSON.stringify(manifest).padEnd(MANIFEST_BYTES));
  if (text.length > MANIFEST_BYTES) throw new Error('the manifest is too long for the fixture');
  text.copy(image, at);
  return image;
}

/** Writes a release as `sextant build` lays it down, around images that hold their manifest alone. Real images, small ones. */
export async function makeRelease(
  folder: string,
  example: ExampleRelease,
  context: Context,
): Promise<Release> {
  const {
    version,
    name = 'provider-kairos',
    standin = false,
    url = `https://example.org/k8s/${version}`,
  } = example;
  const distribution = version.includes('k0s') ? 'k0s' : 'k3s';
  mkdirSync(folder, { recursive: true });
  const images: ReleasedImage[] = [];
  for (const architecture of example.architectures ?? ['amd64']) {
    images.push(await makeImage(folder, { ...example, name, standin }, architecture, context));
  }
  const release: Release = {
    schemaVersion: 1,
    name,
    version,
    distribution,
    standin,
    url,
    inputs: {
      sextant: '0.1.0',
      recipe: sha256('recipe'),
      lock: sha256('lock'),
      build: sha256(version),
      erofs: '1.8.6',
    },
    images,
    activation: 'activation.yaml',
    provenance: 'provenance.intoto.json',
    ...(example.signing === undefined ? {} : { certificate: `${name}.crt` }),
  };
  if (example.signing !== undefined) copyFileSync(example.signing.certificate, join(folder, `${name}.crt`));
  writeFileSync(join(folder, 'activation.yaml'), await releaseActivation(release, folder));
  writeFileSync(
    join(folder, 'provenance.intoto.json'),
    JSON.stringify({ predicateType: 'https://slsa.dev/provenance/v1' }),
  );
  writeFileSync(join(folder, 'release.json'), `${JSON.stringify(release, null, 2)}\n`);
  const sums = readdirSync(folder)
    .filter((file) => file !== 'SHA256SUMS')
    .map((file) => [file, sha256(readFileSync(join(folder, file)))]);
  writeFileSync(join(folder, 'SHA256SUMS'), checksumsText(Object.fromEntries(sums)));
  return release;
}

async function makeImage(
  folder: string,
  example: ExampleRelease & { readonly name: string; readonly standin: boolean },
  architecture: Architecture,
  context: Context,
): Promise<ReleasedImage> {
  const { name, version, standin, signing } = example;
  const components = example.components ?? {
    'provider-kairos': 'v2.16.4',
    edgevpn: 'v0.35.3',
    k3s: version,
  };
  const entries = Object.entries(example.files ?? FILES).map(([path, [size, component]]) => ({
    path,
    kind: 'file',
    mode: 0o755,
    size,
    sha256: createHash('sha256').update(`${path} ${size} ${architecture}`).digest('hex'),
    disposition: 'delivered',
    component,
  }));
  const base = `${name}-${version}-${architecture}.sysext`;
  const path = join(folder, `${base}.raw`);
  const list = Object.entries(components).map(([component, text]) => ({
    name: component,
    version: text,
    ...(standin ? { standin } : {}),
  }));
  const data = fileSystem({ schemaVersion: 1, name, version, architecture, components: list, entries });
  // The partitions' types are amd64's for both; nothing that is tried here looks at them.
  const sealed = await seal(path, data, context, signing);
  const sbom = `${name}-${version}-${architecture}.spdx.json`;
  const cyclonedx = sbom.replace('spdx', 'cdx');
  writeFileSync(join(folder, sbom), JSON.stringify({ spdxVersion: 'SPDX-2.3', name: sbom }));
  writeFileSync(join(folder, cyclonedx), JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6' }));
  writeFileSync(join(folder, `${base}.roothash`), `${sealed.rootHash}\n`);
  return {
    architecture,
    file: `${base}.raw`,
    size: sealed.size,
    sha256: (await fileDigest(path)).sha256,
    rootHash: sealed.rootHash,
    rootHashFile: `${base}.roothash`,
    sbom,
    cyclonedx,
    compression: 'none',
    partitions: sealed.partitions,
    ...(sealed.signature === undefined ? {} : { signature: sealed.signature }),
    components: list.map((component) => ({ ...component, type: 'github-release', standin })),
    warnings: [],
  };
}
