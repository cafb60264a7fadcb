import { TITLE } from '../../sources/oci/manifest.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { type Contents, nameOnNode, type ReleaseFile } from '../publish/contents.ts';
import { type Blob, bytesBlob, fileBlob } from './blob.ts';
import {
  type Annotations,
  type Descriptor,
  type Document,
  descriptorOf,
  EMPTY_BYTES,
  indexDocument,
  manifestDocument,
} from './documents.ts';
import {
  IMAGE_CONFIG,
  isAttestation,
  mediaTypeOf,
  RAW_SYSEXT,
  RELEASE_FILES,
  SIGNED_SUMS,
  TAR_LAYER,
} from './media-types.ts';
import { tarBlob } from './tar.ts';

/** `raw`: the extension is the layer (Kairos from 4.2 on); `tar`: it is in a tar layer (kairos-agent up to v2.31, any image tool). */
export type Form = 'raw' | 'tar';
export const FORMS = ['raw', 'tar'] as const satisfies readonly Form[];

export interface Tag {
  readonly tag: string;
  readonly document: Document;
  /** What the tag is, for people and machines. */
  readonly what: 'release' | 'index' | 'image';
  readonly form?: Form;
  readonly architecture?: Architecture;
}

/** All that a release is in a registry, known before anything is sent. */
export interface Plan {
  readonly blobs: readonly Blob[];
  /** Images before the indexes that name them. */
  readonly documents: readonly Document[];
  readonly attached: readonly Document[];
  /** In the order they are put: what others stand on first, the tag that people use last. */
  readonly tags: readonly Tag[];
}

export const VERSION_ANNOTATION = 'org.opencontainers.image.version';

/** Lays out a release for a registry, without asking it anything. The same release gives the same digests everywhere. */
export function planRelease(contents: Contents, tag: string, forms: readonly Form[] = FORMS): Plan {
  const { release } = contents;
  if (`${tag}-tar-amd64`.length > 128) {
    throw new SextantError('usage', `${tag}: too long for a tag with what is added to it`, {
      hint: 'give a tag of 118 characters at most',
    });
  }
  const images = contents.files.filter((file) => file.image !== undefined);
  const common: Annotations = {
    [VERSION_ANNOTATION]: release.version,
    'org.opencontainers.image.description': `${release.distribution} ${release.version} as a system extension for Kairos nodes${release.standin ? ', with stand-ins: for tests only' : ''}`,
    'sextant.distribution': release.distribution,
    'sextant.build': release.inputs.build,
    ...(release.standin ? { 'sextant.stand-in': 'true' } : {}),
  };
  const blobs: Blob[] = [];
  const documents: Document[] = [];
  const attached: Document[] = [];
  const tags: Tag[] = [];
  const indexes: Document[] = [];
  const empty = bytesBlob('the empty configuration', EMPTY_BYTES);
  const only = (file: ReleaseFile) => descriptor(file, mediaTypeOf(file.name), { [TITLE]: file.name });

  for (const form of forms) {
    const parts = images.map((file) => (form === 'raw' ? rawImage : tarImage)(file, contents, common));
    const index = indexDocument(`index of the ${form} form`, {
      ...(form === 'raw' ? { artifactType: RAW_SYSEXT } : {}),
      manifests: parts.map(({ document, architecture }) =>
        descriptorOf(document, { architecture, os: 'linux' }),
      ),
      annotations: common,
    });
    blobs.push(...parts.flatMap((part) => part.blobs));
    documents.push(...parts.map(({ document }) => document));
    indexes.push(index);
    const base = form === 'raw' ? tag : `${tag}-tar`;
    tags.push(
      ...parts.map(
        ({ document, architecture }): Tag => ({
          tag: `${base}-${architecture}`,
          document,
          what: 'image',
          form,
          architecture,
        }),
      ),
      { tag: base, document: index, what: 'index', form },
    );
  }
  const main = indexes[0];
  if (main === undefined) throw new Error('a release is published in at least one form');

  const about = contents.files.filter((file) => file.image === undefined);
  const releaseFiles = manifestDocument('files of the release', {
    artifactType: RELEASE_FILES,
    layers: about.map(only),
    subject: descriptorOf(main),
    annotations: common,
  });
  attached.push(releaseFiles);
  const signatures = about.filter(({ name }) => name.startsWith('SHA256SUMS.'));
  if (signatures.length > 0) {
    const sums = about.filter(({ name }) => name === 'SHA256SUMS');
    attached.push(
      manifestDocument('signature', {
        artifactType: SIGNED_SUMS,
        layers: [...sums, ...signatures].map(only),
        subject: descriptorOf(main),
        annotations: common,
      }),
    );
  }
  for (const file of about.filter(({ name }) => isAttestation(name))) {
    attached.push(
      manifestDocument(file.name, {
        artifactType: mediaTypeOf(file.name),
        layers: [only(file)],
        subject: descriptorOf(subjectOf(file, images, documents, main)),
        annotations: common,
      }),
    );
  }
  blobs.push(...about.map(({ path, name, sha256, size }) => fileBlob(path, name, sha256, size)), empty);
  documents.push(...indexes);
  // The tags of the other form and the parts first, the one that people use last.
  const last = tags.filter(({ document }) => document === main);
  const others = tags.filter(({ document }) => document !== main);
  return {
    blobs: [...new Map(blobs.map((blob) => [blob.digest, blob])).values()],
    documents,
    attached,
    tags: [
      ...others.filter(({ what }) => what === 'image'),
      ...others.filter(({ what }) => what === 'index'),
      { tag: `${tag}-release`, document: releaseFiles, what: 'release' },
      ...last,
    ],
  };
}

interface ImagePart {
  readonly document: Document;
  readonly architecture: Architecture;
  readonly blobs: readonly Blob[];
}

function rawImage(file: ReleaseFile, contents: Contents, common: Annotations): ImagePart {
  const title = nameOnNode(contents.release);
  const { architecture } = known(file);
  const document = manifestDocument(`${title} for ${architecture}`, {
    artifactType: RAW_SYSEXT,
    layers: [descriptor(file, RAW_SYSEXT, { [TITLE]: title })],
    annotations: ofImage(file, common),
  });
  return { document, architecture, blobs: [fileBlob(file.path, file.name, file.sha256, file.size)] };
}

function tarImage(file: ReleaseFile, contents: Contents, common: Annotations): ImagePart {
  const { architecture } = known(file);
  const name = nameOnNode(contents.release);
  const blob = tarBlob(file.path, name, file.size, file.tarSha256 ?? '');
  const layer = { mediaType: TAR_LAYER, digest: blob.digest, size: blob.size };
  // OCI image specification, "Image Configuration": what any tool for container images wants to see.
  const config = bytesBlob(
    `configuration for ${architecture}`,
    Buffer.from(
      JSON.stringify({
        architecture,
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: [blob.digest] },
        history: [{ created_by: 'sextant publish' }],
      }),
    ),
  );
  const document = manifestDocument(`${blob.name} for ${architecture}`, {
    config: { mediaType: IMAGE_CONFIG, digest: config.digest, size: config.size },
    layers: [layer],
    annotations: ofImage(file, common),
  });
  return { document, architecture, blobs: [{ ...blob, name: `${file.name} as tar` }, config] };
}

function descriptor(file: ReleaseFile, mediaType: string, annotations: Annotations): Descriptor {
  return { mediaType, digest: `sha256:${file.sha256}`, size: file.size, annotations };
}

function ofImage(file: ReleaseFile, common: Annotations): Annotations {
  return { ...common, 'sextant.root-hash': known(file).rootHash };
}

function known(file: ReleaseFile): NonNullable<ReleaseFile['image']> {
  if (file.image === undefined) throw new Error(`${file.name} is no image`);
  return file.image;
}

/** What a bill of materials or provenance speaks of: the image of the architecture in its name, else the whole release. */
function subjectOf(
  file: ReleaseFile,
  images: readonly ReleaseFile[],
  documents: readonly Document[],
  main: Document,
): Document {
  const at = images.findIndex(
    (image) => image.image?.sbom === file.name || file.name.includes(`-${image.image?.architecture}.`),
  );
  return at === -1 ? main : (documents[at] ?? main);
}
