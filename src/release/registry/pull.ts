import { z } from 'zod';
import { type AskOptions, askText } from '../../sources/ask-text.ts';
import { statusError } from '../../sources/attempts.ts';
import { authorization } from '../../sources/oci/login.ts';
import { TITLE } from '../../sources/oci/manifest.ts';
import { openStore } from '../../sources/store.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { sha256 } from '../../support/files.ts';
import { type OciReference, repositoryUrl } from '../../support/registry/reference.ts';
import { INDEX, MANIFEST } from './media-types.ts';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const annotations = z.record(z.string(), z.string()).default({});
// OCI image specification 1.1: what of a manifest or an index is looked at.
const document = z.looseObject({
  artifactType: z.string().optional(),
  layers: z.array(z.looseObject({ digest, size: z.number().int().min(0), annotations })).default([]),
  manifests: z
    .array(z.looseObject({ digest, platform: z.looseObject({ architecture: z.string() }).optional() }))
    .default([]),
  subject: z.looseObject({ digest }).optional(),
});

export interface PulledBlob {
  /** "sha256:...". */
  readonly digest: string;
  /** Bytes; undefined where nobody says. More than that is not written. */
  readonly size?: number;
}

/** A manifest or index of a registry, as far as it is read here. Digests are "sha256:...". */
export interface PulledManifest {
  readonly digest: string;
  readonly artifactType: string | undefined;
  /** Layers by their titles. */
  readonly files: ReadonlyMap<string, PulledBlob>;
  readonly manifests: readonly { readonly digest: string; readonly architecture: string | undefined }[];
  readonly subject: string | undefined;
}

/** A repository of a registry that is read. */
export interface PulledRepository {
  /** HOST/REPOSITORY. */
  readonly name: string;
  /** The manifest that a tag or digest names. Throws `network` where there is none, `input` for what is no manifest. */
  manifest(target: string): Promise<PulledManifest>;
  /** The same, undefined where there is none. */
  find(target: string): Promise<PulledManifest | undefined>;
  /** Path of a blob in the cache, fetched and held against its digest. */
  blob(blob: PulledBlob): Promise<string>;
}

/** Opens a repository for reading, with docker's credentials where it wants a login. */
export function openForReading(reference: OciReference, context: Context): PulledRepository {
  const name = `${reference.registry}/${reference.repository}`;
  const base = repositoryUrl(reference);
  // Blobs are asked for by digest, with a login that is renewed: as in a mirror.
  const mirrors = [{ from: `${base}/`, to: `oci://${name}` }];
  const store = openStore({ ...context, mirrors, frozen: false });
  const asking = { mirrors: [], frozen: false, signal: context.signal };
  let login: Promise<Readonly<Record<string, string>>> | undefined;
  const askFor = async (target: string, options: AskOptions) => {
    login ??= authorization(`${base}/tags/list`, asking);
    const headers = { accept: `${INDEX}, ${MANIFEST}`, ...(await login) };
    return askText(`${base}/manifests/${target}`, asking, { headers, limit: 4 * 1024 * 1024, ...options });
  };
  return {
    name,
    async manifest(target) {
      const hint = 'check the tag: is there such a release in the repository?';
      const { text } = await askFor(target, {
        explain: (answer) =>
          answer.status === 404 ? statusError(`${name}:${target}`, answer, hint) : undefined,
      });
      return parsed(text, `${name}:${target}`);
    },
    async find(target) {
      const { status, text } = await askFor(target, { accept: [404] });
      return status === 404 ? undefined : parsed(text, `${name}:${target}`);
    },
    blob: async ({ digest: wanted, size }) => {
      const url = `${base}/blobs/${wanted}`;
      const sum = wanted.replace(/^sha256:/, '');
      if (size !== undefined) return store.fetch({ url, size, sha256: sum });
      return (await store.discover(url, undefined, { sha256: sum })).path;
    },
  };
}

function parsed(text: string, where: string): PulledManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { success, data } = document.safeParse(value);
  if (!success) {
    throw new SextantError('input', `${where}: not an OCI manifest`, {
      hint: 'check that the address is a registry, and the tag one that sextant put there',
    });
  }
  return {
    digest: `sha256:${sha256(text)}`,
    artifactType: data.artifactType,
    files: new Map(
      data.layers.flatMap((layer) => {
        const title = layer.annotations[TITLE];
        return title === undefined ? [] : [[title, { digest: layer.digest, size: layer.size }] as const];
      }),
    ),
    manifests: data.manifests.map((each) => ({
      digest: each.digest,
      architecture: each.platform?.architecture,
    })),
    subject: data.subject?.digest,
  };
}
