import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../../sources/store.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { fileDigest, sha256 } from '../../support/files.ts';
import { redact } from '../../support/http.ts';
import { inStep } from '../../support/progress.ts';
import { isAddress, isRegistryPlace } from '../address.ts';
import { withExtension } from '../extension.ts';
import { parseReleaseText } from '../read.ts';
import { type PulledRelease, pullRelease } from '../registry/release.ts';
import type { Release, ReleasedImage } from '../types.ts';
import { contentsFile, contentsOf, type ImageContents } from './contents.ts';
import type { CatalogDocument } from './types.ts';

/** A release with everything a catalog says of it, every image read and held against its description. */
export interface DescribedRelease {
  readonly release: Release;
  /** SHA-256 of its release.json. */
  readonly description: string;
  /** PEM certificates that a strict node is to trust, the signer's first; empty where nothing is signed. */
  readonly certificates: readonly string[];
  readonly contents: readonly ImageContents[];
  /** SHA-256 of the contents file of each image, in the release's order. */
  readonly contentsNames: readonly string[];
  /** Bills of materials and provenance. */
  readonly documents: readonly CatalogDocument[];
  /** Where it was read in a registry. */
  readonly registry?: Pick<PulledRelease, 'address' | 'references'>;
}

/** Reads a release in a folder, at an address or in a registry; what is not here goes through the cache. */
export async function describeRelease(place: string, context: Context): Promise<DescribedRelease> {
  if (isRegistryPlace(place)) {
    const { folder, address, references } = await pullRelease(place, context);
    return { ...(await describeRelease(folder, context)), registry: { address, references } };
  }
  const base = place.replace(/\/(?:release\.json)?$/, '');
  const local = async (name: string): Promise<string> => {
    if (!isAddress(base)) return join(base, name);
    const address = `${base}/${name === 'release.json' ? name : encodeURIComponent(name)}`;
    const store = await openStore({ ...context, mirrors: [], frozen: false });
    return inStep(
      context.progress,
      `fetch ${redact(address)}`,
      async (step) => (await store.discover(address, step)).path,
    );
  };
  const shown = `${redact(base)}/release.json`;
  const text = await readFile(await local('release.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new SextantError('input', `${base}: there is no release here (no release.json)`, {
      hint: 'build one with `sextant build`, or name the folder or address that has it',
    });
  });
  const release = parseReleaseText(text, shown);
  const contents: ImageContents[] = [];
  for (const image of release.images) {
    context.signal.throwIfAborted();
    contents.push(await imageContents(release, image, await local(image.file), base, context));
  }
  return {
    release,
    description: sha256(text),
    certificates: await Promise.all(
      trustedFiles(release).map(async (name) => readFile(await local(name), 'utf8')),
    ),
    contents,
    contentsNames: contents.map((held) => contentsFile(held).name),
    documents: await Promise.all(
      documentsOf(release).map(async (one) => ({
        ...one,
        ...(await digestOf(await local(one.file), `${redact(base)}/${one.file}`)),
      })),
    ),
  };
}

function documentsOf({ images, provenance }: Release): Omit<CatalogDocument, 'size' | 'sha256'>[] {
  return [
    ...images.flatMap(({ architecture, sbom, cyclonedx }) => [
      { format: 'spdx' as const, architecture, file: sbom },
      ...(cyclonedx === undefined ? [] : [{ format: 'cyclonedx' as const, architecture, file: cyclonedx }]),
    ]),
    ...(provenance === undefined ? [] : [{ format: 'slsa' as const, file: provenance }]),
  ];
}

async function digestOf(path: string, shown: string): Promise<{ size: number; sha256: string }> {
  const { size, sha256: sum } = await fileDigest(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw damaged(shown, 'is missing, its release.json lists it');
  });
  return { size, sha256: sum };
}

function damaged(shown: string, what: string): SextantError {
  return new SextantError('verification', `${shown}: ${what}`, {
    hint: 'the release is damaged or mixed from two builds; build it again',
  });
}

/** Further certificates are named while a key is being rotated. */
function trustedFiles({ certificate, alsoTrust = [] }: Release): readonly string[] {
  return certificate === undefined ? [] : [certificate, ...alsoTrust];
}

async function imageContents(
  release: Release,
  image: ReleasedImage,
  path: string,
  base: string,
  context: Context,
): Promise<ImageContents> {
  const wrong = (what: string) => damaged(`${redact(base)}/${image.file}`, what);
  await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? wrong('is missing, its release.json lists it') : error;
  });
  const found = await inStep(context.progress, `check ${image.file}`, () => fileDigest(path, context.signal));
  if (found.sha256 !== image.sha256) throw wrong(`its SHA-256 is not what release.json says`);
  return withExtension(path, context, async (extension) => {
    if (extension.image.rootHash !== image.rootHash)
      throw wrong('its root hash is not what release.json says');
    const held = contentsOf({ manifest: extension.manifest, path: `${redact(base)}/${image.file}` });
    if (held.version !== release.version)
      throw wrong(`holds Kubernetes ${held.version}, its release is of ${release.version}`);
    return held;
  });
}
