import { sha256 } from '../../support/files.ts';
import { EMPTY, INDEX, MANIFEST } from './media-types.ts';

// OCI image specification 1.1: descriptors, manifests and indexes. Keys are in one fixed order, so that equal content has one digest.

export type Annotations = Readonly<Record<string, string>>;

export interface Descriptor {
  readonly mediaType: string;
  readonly artifactType?: string;
  /** "sha256:...". */
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: 'linux' };
  readonly annotations?: Annotations;
}

/** A manifest or index as it goes to a registry. */
export interface Document {
  /** What people call it. */
  readonly name: string;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
  /** What it is attached to. */
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

/** The two bytes that stand for "no configuration". */
export const EMPTY_BYTES = Buffer.from('{}');
export const EMPTY_CONFIG: Descriptor = {
  mediaType: EMPTY,
  digest: `sha256:${sha256(EMPTY_BYTES)}`,
  size: EMPTY_BYTES.length,
};

/** A manifest. Without a configuration it is an artifact, which has a type instead. */
export function manifestDocument(
  name: string,
  content: {
    readonly artifactType?: string;
    readonly config?: Descriptor;
    readonly layers: readonly Descriptor[];
    readonly subject?: Descriptor;
    readonly annotations?: Annotations;
  },
): Document {
  const { artifactType, config = EMPTY_CONFIG, layers, subject, annotations } = content;
  return document(
    name,
    {
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType,
      config,
      layers,
      subject: subject && bare(subject),
      annotations,
    },
    subject,
  );
}

export function indexDocument(
  name: string,
  content: {
    readonly artifactType?: string;
    readonly manifests: readonly Descriptor[];
    readonly annotations?: Annotations;
  },
): Document {
  const { artifactType, manifests, annotations } = content;
  return document(name, { schemaVersion: 2, mediaType: INDEX, artifactType, manifests, annotations });
}

export function descriptorOf(document: Document, platform?: Descriptor['platform']): Descriptor {
  const { mediaType, artifactType, digest, bytes } = document;
  return {
    mediaType,
    ...(artifactType === undefined ? {} : { artifactType }),
    digest,
    size: bytes.length,
    ...(platform === undefined ? {} : { platform }),
  };
}

/** A subject is named by its type, digest and size alone. */
function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function document(
  name: string,
  value: {
    readonly mediaType: string;
    readonly artifactType: string | undefined;
    readonly annotations?: Annotations | undefined;
  } & Readonly<Record<string, unknown>>,
  subject?: Descriptor,
): Document {
  const bytes = Buffer.from(JSON.stringify(value));
  const { mediaType, artifactType, annotations } = value;
  return {
    name,
    mediaType,
    ...(artifactType === undefined ? {} : { artifactType }),
    digest: `sha256:${sha256(bytes)}`,
    bytes,
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
