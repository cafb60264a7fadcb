import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

export interface ExampleOptions {
  readonly version?: string;
  /** Bytes of each image. */
  readonly size?: number;
  readonly build?: string;
  readonly architectures?: readonly string[];
  /** Besides what a build writes. */
  readonly extra?: Readonly<Record<string, string>>;
  /** A signature of SHA256SUMS. */
  readonly signature?: string;
  /** Contents of an image; default noise that depends on the build. */
  readonly image?: (architecture: string) => Uint8Array;
}

export const VERSION = 'v1.36.3+k3s0';
export const imageName = (architecture: string, version = VERSION) =>
  `provider-kairos-${version}-${architecture}.sysext.raw`;

/** Writes a folder as `sextant build` leaves it, around images of any bytes. */
export function exampleRelease(folder: string, options: ExampleOptions = {}): string {
  const { version = VERSION, size = 200_000, build = 'a', architectures = ['amd64', 'arm64'] } = options;
  mkdirSync(folder, { recursive: true });
  const files: Record<string, string | Uint8Array> = {};
  const images = architectures.map((architecture) => {
    const file = imageName(architecture, version);
    const bytes = options.image?.(architecture) ?? noise(size, `${build} ${architecture} ${version}`);
    files[file] = bytes;
    files[file.replace(/raw$/, 'roothash')] = `${'c'.repeat(64)}\n`;
    const sbom = `provider-kairos-${version}-${architecture}.spdx.json`;
    files[sbom] = JSON.stringify({ spdxVersion: 'SPDX-2.3', name: `${architecture} ${build}` });
    return {
      ...{ architecture, file, size: bytes.length, sha256: sha256(bytes), rootHash: 'c'.repeat(64) },
      ...{ rootHashFile: file.replace(/raw$/, 'roothash'), sbom, compression: 'lz4hc' },
      ...{ partitions: [], components: [], warnings: [] },
    };
  });
  files['activation.yaml'] = `#cloud-config\n# ${build}\n`;
  files['release.json'] = `${JSON.stringify({
    ...{ schemaVersion: 1, name: 'provider-kairos', version, distribution: 'k3s', standin: true },
    url: 'http://127.0.0.1:8080',
    inputs: { sextant: '0', recipe: sha256('r'), lock: sha256('l'), build: sha256(build), erofs: '1.8.6' },
    images,
    activation: 'activation.yaml',
  })}\n`;
  Object.assign(files, options.extra);
  const sums = Object.entries(files)
    .map(([name, data]) => `${sha256(data)}  ${name}\n`)
    .sort()
    .join('');
  for (const [name, data] of Object.entries(files)) writeFileSync(join(folder, name), data);
  writeFileSync(join(folder, 'SHA256SUMS'), sums);
  if (options.signature !== undefined) writeFileSync(join(folder, 'SHA256SUMS.sig'), options.signature);
  return folder;
}

/** Bytes that no compression and no mixing up of blocks can hide, the same for the same seed. */
function noise(size: number, seed: string): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < size; at += 32) blocks.push(createHash('sha256').update(`${seed} ${at}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}
