import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../../sources/store.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { fileDigest, sha256 } from '../../support/files.ts';
import { redact } from '../../support/http.ts';
import { inStep } from '../../support/progress.ts';
import { isAddress } from '../address.ts';
import { withExtension } from '../extension.ts';
import { parseReleaseText } from '../read.ts';
import type { Release, ReleasedImage } from '../types.ts';
import { contentsFile, contentsOf, type ImageContents } from './contents.ts';

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
}

/** Reads a release in a folder or at an address; at an address its images go through the cache. */
export async function describeRelease(place: string, context: Context): Promise<DescribedRelease> {
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
  };
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
  const wrong = (what: string) =>
    new SextantError('verification', `${redact(base)}/${image.file}: ${what}`, {
      hint: 'the release is damaged or mixed from two builds; build it again',
    });
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
