import { join } from 'node:path';
import { z } from 'zod';
import { loadRecipe } from '../../recipe/load.ts';
import { variants } from '../../recipe/matrix.ts';
import { TITLE } from '../../sources/oci/manifest.ts';
import type { Mirror } from '../../sources/types.ts';
import { SextantError } from '../../support/errors.ts';
import { withTemporaryFolder } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { tagOfVersion } from '../../support/registry/blob-address.ts';
import { type OciReference, parseReference } from '../../support/registry/reference.ts';
import { releaseActivation } from '../activation.ts';
import { findPulledCatalog } from '../catalog/fetch.ts';
import { releaseFrom } from '../obtain.ts';
import { releaseContents } from '../publish/contents.ts';
import { type Blob, bytesBlob, fileBlob } from '../registry/blob.ts';
import { openRepository, type Repository } from '../registry/client.ts';
import { type Descriptor, type Document, EMPTY_BYTES, manifestDocument } from '../registry/documents.ts';
import { putManifest, readManifest } from '../registry/manifests.ts';
import { mediaTypeOf } from '../registry/media-types.ts';
import { publishToRegistry } from '../registry/publish.ts';
import { putMissing, uploadMissing } from '../registry/put.ts';
import { refuseOlder, wholeCatalog } from './catalog.ts';
import { everything } from './collect.ts';
import type { Fetched } from './inputs.ts';
import { kairosTextFor } from './kairos.ts';
import { mirrorPath, mirrorRules } from './layout.ts';
import { type RecipeFile, recipeFiles } from './recipe.ts';
import { writeRecipeArchive } from './recipe-archive.ts';
import { type Mirrored, type MirroredRelease, type MirrorRequest, releaseName } from './types.ts';

export interface RegistryRequest extends MirrorRequest {
  /** `oci://HOST/REPOSITORY`. */
  readonly output: string;
}

export interface RegistryMirrored extends Mirrored {
  /** HOST/REPOSITORY. */
  readonly repository: string;
  /** Everything tagged, in the order in which it was put. */
  readonly tags: readonly string[];
}

/** Tags beside those of releases. */
export const INPUTS_TAG = 'inputs';
export const RECIPE_TAG = 'recipe';
export const CATALOG_TAG = 'catalog';

const ARTIFACT = 'application/vnd.sextant.mirror.v1';
/** Says which recipe an artifact of a mirror is of. */
const OF = 'sextant.mirror';
/** Manifests of this size every registry takes (OCI distribution specification 1.1, "Pushing Manifests"). */
const LARGEST_MANIFEST = 4 * 1024 * 1024;

/**
 * Puts everything that building a recipe's releases asks the network for into a repository of a registry: each file a blob under its digest, all of
 * them the layers of one artifact (titles are the paths that `oras pull` lays out); finished releases as `sextant publish` puts them; a catalog
 * with its signature, and for Kairos the list of what is in this repository; and last the recipe, whose `mirrors` send every address there. What is there already is not sent again, and nothing
 * is removed: each state of the inputs keeps a tag of its own.
 */
export async function mirrorToRegistry(request: RegistryRequest): Promise<RegistryMirrored> {
  const { context } = request;
  const reference = repositoryOf(request.output);
  const repository = openRepository(reference, context);
  const base = `oci://${repository.name}`;
  const loaded = await loadRecipe(request.recipe);
  const of = `${loaded.recipe.name} ${loaded.recipe.distribution.name}`;
  await refuseForeign(repository, of);
  const fetched = await everything(request, loaded);
  const inputs = inputsDocument(fetched, of);
  const tags: string[] = [];
  const put = async (blobs: readonly Blob[], document: Document, names: readonly string[]) => {
    const { uploaded } = await uploadMissing(repository, [
      ...blobs,
      bytesBlob('the empty configuration', EMPTY_BYTES),
    ]);
    await putMissing(repository, [document]);
    for (const name of names) await putManifest(repository, document, name);
    tags.push(...names);
    return uploaded.blobs;
  };
  const blobs = new Map(
    fetched.map(({ blob, path }) => [
      blob.sha256,
      fileBlob(path, mirrorPath(blob.url), blob.sha256, blob.size),
    ]),
  );
  let written = await put([...blobs.values()], inputs, [
    `${INPUTS_TAG}-${inputs.digest.slice(7, 19)}`,
    INPUTS_TAG,
  ]);

  const releases: MirroredRelease[] = [];
  const activations: { readonly path: string; readonly text: string }[] = [];
  for (const source of request.releases) {
    const { name, tag, text } = await putRelease(source, reference, base, request);
    tags.push(tag);
    activations.push({ path: `activation/${name}.yaml`, text });
    releases.push({ name, activation: `activation/${name}.yaml` });
  }

  const catalog =
    request.catalog === undefined ? undefined : await mirroredCatalog(request.catalog, repository, request);
  if (catalog !== undefined) written += await put(catalog.blobs, catalog.document, [CATALOG_TAG]);

  const rules = inRegistry(
    fetched.map(({ blob }) => blob.url),
    base,
  );
  const locks = variants(loaded.recipe).map(({ lock }) => lock);
  const own = await recipeFiles(loaded, locks, rules, context.signal);
  written += await putRecipe(own.files, activations, of, context, put);
  return {
    repository: repository.name,
    recipe: join('recipe', own.recipe),
    base,
    files: fetched.length,
    bytes: fetched.reduce((sum, { blob }) => sum + blob.size, 0),
    written,
    releases,
    tags,
    ...(catalog === undefined ? {} : { catalog: catalog.serial }),
  };
}

/** Throws `usage` for what is no repository without a tag. */
function repositoryOf(output: string): OciReference {
  if (/^oci:\/\/[^/@]+\/[^:@]+$/.test(output)) return parseReference(output);
  throw new SextantError('usage', `--output ${output}: not a repository of a registry`, {
    hint: 'write oci://HOST/REPOSITORY, without a tag: a mirror has tags of its own',
  });
}

/** The same rules as a folder has, one for each host, with the repository in the folder's place. */
function inRegistry(urls: readonly string[], base: string): Mirror[] {
  return mirrorRules(urls, base).map(({ from }) => ({ from, to: base }));
}

function inputsDocument(fetched: readonly Fetched[], of: string): Document {
  const titles = new Set<string>();
  const layers = fetched.map(({ blob }): Descriptor => {
    const title = mirrorPath(blob.url);
    // Addresses that differ by their queries alone are one path in a folder, but two blobs here.
    const isNew = !titles.has(title);
    titles.add(title);
    return {
      mediaType: 'application/octet-stream',
      digest: `sha256:${blob.sha256}`,
      size: blob.size,
      annotations: { ...(isNew ? { [TITLE]: title } : {}), 'sextant.address': blob.url },
    };
  });
  const document = manifestDocument('inputs', { artifactType: ARTIFACT, layers, annotations: { [OF]: of } });
  if (document.bytes.length <= LARGEST_MANIFEST) return document;
  throw new SextantError(
    'input',
    `${fetched.length} files make a manifest of ${document.bytes.length} bytes, and registries take ${LARGEST_MANIFEST}`,
    { hint: 'mirror into a folder, or a part of the recipe into each of several repositories' },
  );
}

async function putRelease(
  source: string,
  reference: OciReference,
  base: string,
  { context }: MirrorRequest,
): Promise<{ readonly name: string; readonly tag: string; readonly text: string }> {
  const folder = await releaseFrom(source, context);
  const contents = await releaseContents(folder, context, { tar: true });
  const { release } = contents;
  const tag = tagOfVersion(release.version);
  await publishToRegistry(contents, reference, context, { tag });
  const text = await releaseActivation(release, folder, { url: `${base}:${tag}` });
  return { name: releaseName(release), tag, text };
}

async function mirroredCatalog(
  place: string,
  repository: Repository,
  { context }: MirrorRequest,
): Promise<{ readonly document: Document; readonly blobs: readonly Blob[]; readonly serial: number }> {
  const whole = await wholeCatalog(place, context, (catalog) => kairosTextFor(catalog, repository));
  const { catalog, files } = whole;
  const blobs = files.map(({ path, bytes }) => bytesBlob(path, bytes));
  const layers = blobs.map(titled);
  const there =
    (await readManifest(repository, CATALOG_TAG)) === undefined
      ? undefined
      : await findPulledCatalog(`oci://${repository.name}:${CATALOG_TAG}`, context);
  if (there !== undefined) refuseOlder(there, whole, place, repository.name);
  const document = manifestDocument('catalog', {
    artifactType: 'application/vnd.sextant.catalog.v1',
    layers,
    annotations: { 'sextant.serial': String(catalog.serial) },
  });
  return { document, blobs, serial: catalog.serial };
}

/** A blob as a layer that `oras pull` lays out under its name. */
function titled({ name, digest, size }: Blob): Descriptor {
  return { mediaType: mediaTypeOf(name), digest, size, annotations: { [TITLE]: name } };
}

async function putRecipe(
  files: readonly RecipeFile[],
  activations: readonly { readonly path: string; readonly text: string }[],
  of: string,
  { cache, signal, progress }: MirrorRequest['context'],
  put: (blobs: readonly Blob[], document: Document, tags: readonly string[]) => Promise<number>,
): Promise<number> {
  return withTemporaryFolder(join(cache, 'partial', 'recipe'), async (folder) => {
    const archive = await inStep(progress, 'recipe', () =>
      writeRecipeArchive(files, join(folder, 'recipe.tar.gz'), signal),
    );
    const texts = activations.map(({ path, text }) => bytesBlob(path, Buffer.from(text)));
    const layers: Descriptor[] = [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: `sha256:${archive.sha256}`,
        size: archive.size,
        annotations: {
          [TITLE]: 'recipe',
          // oras unpacks it then.
          'io.deis.oras.content.unpack': 'true',
          'io.deis.oras.content.digest': `sha256:${archive.tarSha256}`,
        },
      },
      ...texts.map(titled),
    ];
    const document = manifestDocument('recipe', {
      artifactType: ARTIFACT,
      layers,
      annotations: { [OF]: of },
    });
    return put([fileBlob(archive.path, 'recipe', archive.sha256, archive.size), ...texts], document, [
      RECIPE_TAG,
    ]);
  });
}

const annotated = z.looseObject({ annotations: z.record(z.string(), z.string()).optional() });

/** Throws `input` where the recipe's tag is of another recipe, or of something else: one repository is the mirror of one recipe. */
async function refuseForeign(repository: Repository, of: string): Promise<void> {
  const found = await readManifest(repository, RECIPE_TAG);
  if (found === undefined) return;
  let known: string | undefined;
  try {
    known = annotated.parse(JSON.parse(found.text)).annotations?.[OF];
  } catch {
    known = undefined;
  }
  if (known === of) return;
  throw new SextantError(
    'input',
    `${repository.name}:${RECIPE_TAG}: holds ${known === undefined ? 'something that is no mirror' : `the mirror of another recipe (${known})`}`,
    { hint: 'give each recipe a repository of its own; the registry keeps what they share once' },
  );
}
