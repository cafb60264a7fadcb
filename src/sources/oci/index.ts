import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LockedBlob } from '../../lock/types.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { parseReference, repositoryUrl } from '../../support/registry/reference.ts';
import { unpackArchive } from '../archive.ts';
import { builtFolder } from '../built.ts';
import { copyInto, fetchStep, incompleteLock } from '../single-file.ts';
import type { SourceContext, SourceRoom } from '../types.ts';
import { authorization } from './login.ts';
import { type Descriptor, MANIFEST_TYPES, parseManifest, selectLayers, TITLE } from './manifest.ts';

const EMPTY_CONFIG = 'application/vnd.oci.empty.v1+json';

/**
 * An artifact or image of a registry (OCI distribution specification 1.1). A layer with a title is a file of that name, a tar layer
 * is unpacked. The lock pins the architecture's manifest, its configuration and the layers taken.
 */
export const oci: SourceRoom<'oci'> = {
  async resolve(component, source, architecture, context) {
    const reference = parseReference(source.reference);
    const base = repositoryUrl(reference);
    const accept = MANIFEST_TYPES.join(', ');
    let target = reference.target;
    let expected = reference.isDigest ? target.slice('sha256:'.length) : undefined;
    for (let depth = 0; depth < 3; depth += 1) {
      const url = `${base}/manifests/${target}`;
      const headers = { accept, ...(await authorization(probeOf(url), context)) };
      const found = await inStep(context.progress, `${component.name}: manifest ${target}`, (step) =>
        context.store.discover(url, step, {
          headers,
          ...(expected === undefined ? {} : { sha256: expected }),
        }),
      );
      const text = await readFile(found.path, 'utf8');
      const parsed = parseManifest(text, source.reference, architecture);
      if ('next' in parsed) {
        target = parsed.next.digest;
        expected = target.slice('sha256:'.length);
        continue;
      }
      const { manifest } = parsed;
      const pinned: LockedBlob = {
        ...found.blob,
        url: `${base}/manifests/sha256:${found.blob.sha256}`,
        ...(expected === undefined ? {} : { checkedAgainst: depth === 0 ? 'the recipe' : 'the image index' }),
      };
      const layers = selectLayers(manifest, source.layer, source.reference);
      const contents = manifest.config.mediaType === EMPTY_CONFIG ? layers : [manifest.config, ...layers];
      const blobs = contents.map((each) => contentBlob(base, each, found.blob.sha256));
      for (const blob of blobs) await fetchContent(component.name, blob, context);
      return {
        name: component.name,
        type: 'oci',
        version: source.version,
        inputs: [pinned, ...blobs],
        detail: { manifest: `sha256:${found.blob.sha256}` },
      };
    }
    throw new SextantError('input', `${source.reference}: an index that names an index that names an index`, {
      hint: 'name the manifest itself, by its digest',
    });
  },

  async materialize(component, source, locked, architecture, context) {
    const [manifestBlob, ...contents] = locked.inputs;
    if (manifestBlob === undefined) throw incompleteLock(component.name);
    const manifestPath = await fetchContent(component.name, manifestBlob, context);
    const parsed = parseManifest(await readFile(manifestPath, 'utf8'), source.reference, architecture);
    if ('next' in parsed) throw incompleteLock(component.name);
    const layers = selectLayers(parsed.manifest, source.layer, source.reference);
    const files: { layer: Descriptor; path: string }[] = [];
    for (const layer of layers) {
      const blob = contents.find(({ sha256 }) => `sha256:${sha256}` === layer.digest);
      if (blob === undefined) throw incompleteLock(component.name);
      files.push({ layer, path: await fetchContent(component.name, blob, context) });
    }
    const key = {
      what: 'oci layers',
      version: 1,
      component: component.name,
      layers: layers.map(({ digest, mediaType, annotations }) => ({ digest, mediaType, annotations })),
    };
    return builtFolder(context, key, async (folder) => {
      await inStep(context.progress, `unpack ${component.name}`, async () => {
        for (const { layer, path } of files)
          await layDown(component.name, layer, path, folder, context.signal);
      });
    });
  },
};

function contentBlob(base: string, { digest, size }: Descriptor, manifest: string): LockedBlob {
  return {
    url: `${base}/blobs/${digest}`,
    size,
    sha256: digest.slice('sha256:'.length),
    checkedAgainst: `manifest sha256:${manifest}`,
  };
}

/** A stored blob, or one fetched with the login that the registry wants. */
export async function fetchContent(
  componentName: string,
  blob: LockedBlob,
  context: SourceContext,
): Promise<string> {
  const stored = (await context.store.find(blob.sha256)) !== undefined;
  const isManifest = blob.url.includes('/manifests/');
  const headers =
    stored || context.frozen
      ? {}
      : {
          ...(isManifest ? { accept: MANIFEST_TYPES.join(', ') } : {}),
          ...(await authorization(probeOf(blob.url), context)),
        };
  return fetchStep(
    componentName,
    `${isManifest ? 'manifest' : 'layer'} ${blob.sha256.slice(0, 12)}`,
    blob,
    context,
    headers,
  );
}

/** An address that is small to ask and wants the same login as a blob of its repository. */
function probeOf(url: string): string {
  return url.replace(/\/(?:blobs|manifests)\/[^/]*$/, '/tags/list');
}

async function layDown(
  componentName: string,
  layer: Descriptor,
  path: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const title = layer.annotations[TITLE];
  const isTar = /[.+/]tar(?:[.+]|$)/.test(layer.mediaType);
  const unpack =
    layer.annotations['io.deis.oras.content.unpack'] === 'true' || (isTar && title === undefined);
  if (unpack) {
    const name = `${componentName}: layer ${layer.digest}`;
    // Image layers are the root of a file system: their links may be absolute, and later layers remove files of earlier ones.
    await unpackArchive(path, folder, { name, signal, asRoot: true, whiteouts: true });
    return;
  }
  const parts = (title ?? componentName).split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) {
    throw new SextantError(
      'input',
      `${componentName}: layer ${layer.digest} has the unsafe title "${title}"`,
      {
        hint: 'a title is a relative file name; do not use this artifact',
      },
    );
  }
  const to = join(folder, ...parts);
  await mkdir(dirname(to), { recursive: true });
  await copyInto(path, to, 0o644);
}
