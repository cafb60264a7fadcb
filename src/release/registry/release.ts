import { copyFile, link, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import { ARCHITECTURES, type Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { parseReference } from '../../support/registry/reference.ts';
import { parseSums, SUMS } from '../checksums.ts';
import { openForReading, type PulledBlob } from './pull.ts';

/** A release that was read out of a registry. */
export interface PulledRelease {
  /** Folder of the cache that holds all its files. */
  readonly folder: string;
  /** `oci://HOST/REPOSITORY:TAG`. */
  readonly address: string;
  /** HOST/REPOSITORY@sha256:... of the raw form, by architecture. */
  readonly references: Readonly<Partial<Record<Architecture, string>>>;
}

/**
 * Fetches a release that `sextant publish` put under a tag, every file held against its SHA256SUMS, with its signatures. Throws `input` for what is
 * no release, `verification` where the tags belong to different releases or a file is not what its digest says, `network`.
 */
export async function pullRelease(place: string, context: Context): Promise<PulledRelease> {
  const reference = parseReference(place);
  if (reference.isDigest || !/:[^/]*$/.test(place.replace(/^oci:\/\//, ''))) {
    throw new SextantError('usage', `${place}: a release in a registry is named by its tag`, {
      hint: 'write oci://HOST/REPOSITORY:TAG, for example oci://ghcr.io/acme/kubernetes:v1.36.3-k3s1',
    });
  }
  const { registry, repository, target: tag } = reference;
  const address = `oci://${registry}/${repository}:${tag}`;
  const from = openForReading(reference, context);
  const [index, about] = [await from.manifest(tag), await from.manifest(`${tag}-release`)];
  if (about.subject !== index.digest) {
    throw new SextantError(
      'verification',
      `${address}: the tags ${tag} and ${tag}-release belong to different releases`,
      { hint: 'someone is publishing there just now; run the same command again in a minute' },
    );
  }
  const listed = about.files.get(SUMS);
  if (listed === undefined) {
    throw new SextantError('input', `${address}: holds no ${SUMS}`, {
      hint: 'name a release that `sextant publish` put there',
    });
  }
  const text = await readFile(await from.blob(listed), 'utf8');
  const files = new Map<string, PulledBlob>();
  for (const [name, sum] of parseSums(text, `${address} ${SUMS}`)) {
    const held = about.files.get(name);
    const digest = `sha256:${sum}`;
    files.set(name, held?.digest === digest ? held : { digest });
  }
  for (const [name, held] of about.files) if (/^SHA256SUMS(?:\.\w+)?$/.test(name)) files.set(name, held);
  const folder = await builtFolder(context, { kind: 'pulled-release', files: [...files] }, async (made) => {
    await Promise.all(
      [...files].map(async ([name, held]) => {
        const path = await from.blob(held);
        await link(path, join(made, name)).catch(() => copyFile(path, join(made, name)));
      }),
    );
  });
  const references = index.manifests.flatMap(({ digest, architecture }) =>
    isArchitecture(architecture) ? [[architecture, `${from.name}@${digest}`] as const] : [],
  );
  return { folder, address, references: Object.fromEntries(references) };
}

function isArchitecture(name: string | undefined): name is Architecture {
  return (ARCHITECTURES as readonly (string | undefined)[]).includes(name);
}
