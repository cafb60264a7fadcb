import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256 } from '../../support/files.ts';
import { bytesText, inStep } from '../../support/progress.ts';
import { parseSums, SUMS } from '../checksums.ts';
import { readRelease } from '../read.ts';
import { tarHash } from '../registry/tar.ts';
import type { Release, ReleasedImage } from '../types.ts';

export interface ReleaseFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Of an extension: the release's words for it, and the SHA-256 of the tar archive that holds it under its name on the node. */
  readonly image?: ReleasedImage;
  readonly tarSha256?: string;
}

/** A release as it will be published: each byte hashed just now. */
export interface Contents {
  readonly folder: string;
  readonly release: Release;
  /** What SHA256SUMS lists, SHA256SUMS and its signatures; the two that nodes act on come last: release.json, activation.yaml. */
  readonly files: readonly ReleaseFile[];
  /** Files in the folder that belong to no release; they stay where they are. */
  readonly others: readonly string[];
}

/** Name of a release's extension on a node: systemd wants it to be the one that the extension has inside. */
export function nameOnNode(release: Release): string {
  return `${release.name}.sysext.raw`;
}

/**
 * Reads a release and hashes all of it, once; with `tar` the archives of its images, too. Throws `input` for a folder that holds none, `verification` when a file is missing or is not what
 * SHA256SUMS or release.json say.
 */
export async function releaseContents(
  folder: string,
  context: Context,
  options: { readonly tar?: boolean } = {},
): Promise<Contents> {
  const release = await readRelease(folder);
  const sumsFile = join(folder, SUMS);
  const sumsText = await readFile(sumsFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw broken(`${folder}: has no ${SUMS}`);
  });
  const sums = parseSums(sumsText, sumsFile);
  for (const needed of ['release.json', release.activation, ...release.images.map(({ file }) => file)]) {
    if (!sums.has(needed)) throw broken(`${sumsFile}: does not list ${needed}`);
  }
  const there = (await readdir(folder)).sort();
  const isSignature = (name: string) => name.startsWith(`${SUMS}.`);
  const names = [...sums.keys(), ...there.filter((name) => name === SUMS || isSignature(name))];
  const total = await sizes(folder, names);
  const files = await inStep(
    context.progress,
    `hash ${folder}`,
    async (step) => {
      const hashed: ReleaseFile[] = [];
      let done = 0;
      for (const name of [...new Set(names)]) {
        const file = await hashFile(
          folder,
          name,
          { release, tar: options.tar === true },
          context.signal,
          (bytes) => {
            done += bytes;
            step.update({ bytes: done, total });
          },
        );
        const expected = sums.get(name);
        if (expected !== undefined && file.sha256 !== expected) {
          throw broken(`${file.path}: SHA-256 is ${file.sha256}, ${SUMS} says ${expected}`);
        }
        if (file.image !== undefined && file.image.sha256 !== file.sha256) {
          throw broken(`${file.path}: SHA-256 is ${file.sha256}, release.json says ${file.image.sha256}`);
        }
        hashed.push(file);
      }
      return hashed;
    },
    () => `${names.length} files, ${bytesText(total)}, as their checksums say`,
  );
  return {
    folder,
    release,
    files: inOrder(files, release),
    others: there.filter((name) => !name.startsWith('.') && !names.includes(name)),
  };
}

/** Images, then what is said of them, then checksums with their signatures, then what makes a node act. */
function inOrder(files: readonly ReleaseFile[], release: Release): ReleaseFile[] {
  const rank = ({ name, image }: ReleaseFile) => {
    if (image !== undefined) return 0;
    if (name === release.activation) return 4;
    return name === 'release.json' ? 3 : name.startsWith(SUMS) ? 2 : 1;
  };
  return [...files].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

async function sizes(folder: string, names: readonly string[]): Promise<number> {
  let total = 0;
  for (const name of names) {
    const found = await stat(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw broken(`${join(folder, name)}: is missing, ${SUMS} lists it`);
    });
    if (!found.isFile()) throw broken(`${join(folder, name)}: is not a file`);
    total += found.size;
  }
  return total;
}

async function hashFile(
  folder: string,
  name: string,
  { release, tar }: { readonly release: Release; readonly tar: boolean },
  signal: AbortSignal,
  read: (bytes: number) => void,
): Promise<ReleaseFile> {
  const path = join(folder, name);
  const image = release.images.find(({ file }) => file === name);
  if (image === undefined) {
    const bytes = await readFile(path);
    read(bytes.length);
    return { name, path, size: bytes.length, sha256: sha256(bytes) };
  }
  const { size } = await stat(path);
  const hash = createHash('sha256');
  const archive = tar ? tarHash(nameOnNode(release), size) : undefined;
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    hash.update(piece as Buffer);
    archive?.update(piece as Buffer);
    read((piece as Buffer).length);
  }
  return {
    ...{ name, path, size, sha256: hash.digest('hex'), image },
    ...(archive === undefined ? {} : { tarSha256: archive.digest() }),
  };
}

function broken(message: string): SextantError {
  return new SextantError('verification', message, {
    hint: 'the release is not as it was built; build it again',
  });
}
