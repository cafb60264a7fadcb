import type { IncomingMessage } from 'node:http';
import { type Behaviour, sha256, startServer, type TestServer } from './server.ts';

export interface LayerOf {
  readonly mediaType: string;
  readonly data: Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Registry {
  readonly server: TestServer;
  /** Another host that blobs redirect to, as registries with object stores do. */
  readonly objects: TestServer;
  readonly host: string;
  /** Pushes a manifest with its blobs; resolves to the descriptor. */
  push(
    repository: string,
    tag: string | undefined,
    layers: readonly LayerOf[],
    config?: { readonly mediaType: string; readonly data: Buffer },
  ): { mediaType: string; digest: string; size: number };
  pushIndex(repository: string, tag: string, manifests: readonly object[]): string;
  close(): Promise<void>;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const EMPTY = { mediaType: 'application/vnd.oci.empty.v1+json', data: Buffer.from('{}') };

/**
 * A registry (OCI distribution specification, pull) that wants a token for everything, given by its own token service: to anyone for
 * "public/...", for "private/..." to the user "user" with the password "secret".
 */
export async function startRegistry(): Promise<Registry> {
  const server = await startServer();
  const objects = await startServer();
  const host = server.url.replace('http://', '');
  server.on('/token', (request) => {
    const scope = new URL(request.url ?? '', server.url).searchParams.get('scope') ?? '';
    const login = Buffer.from('user:secret').toString('base64');
    if (scope.includes('private/') && request.headers.authorization !== `Basic ${login}`)
      return { status: 401 };
    return { body: JSON.stringify({ token: `for ${scope}` }) };
  });
  const guarded = (repository: string, behaviour: Behaviour) => (request: IncomingMessage) => {
    const scope = `repository:${repository}:pull`;
    if (request.headers.authorization === `Bearer for ${scope}`) return behaviour;
    return {
      status: 401,
      headers: {
        'www-authenticate': `Bearer realm="${server.url}/token",service="registry.test",scope="${scope}"`,
      },
    };
  };
  const putBlob = (repository: string, data: Buffer) => {
    const digest = `sha256:${sha256(data)}`;
    const redirect = `${objects.url.replace('127.0.0.1', 'localhost')}/${digest}`;
    server.on(`/v2/${repository}/blobs/${digest}`, guarded(repository, { redirect }));
    objects.on(`/${digest}`, { body: data });
    return { digest, size: data.length };
  };
  const putManifest = (repository: string, tag: string | undefined, mediaType: string, value: object) => {
    const body = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${sha256(body)}`;
    server.on(`/v2/${repository}/tags/list`, guarded(repository, { body: '{}' }));
    for (const name of [digest, ...(tag === undefined ? [] : [tag])]) {
      server.on(
        `/v2/${repository}/manifests/${name}`,
        guarded(repository, { body, headers: { 'content-type': mediaType } }),
      );
    }
    return { mediaType, digest, size: body.length };
  };
  return {
    server,
    objects,
    host,
    push(repository, tag, layers, config = EMPTY) {
      return putManifest(repository, tag, MANIFEST, {
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: { mediaType: config.mediaType, ...putBlob(repository, config.data) },
        layers: layers.map(({ mediaType, data, annotations }) => ({
          mediaType,
          ...putBlob(repository, data),
          ...(annotations === undefined ? {} : { annotations }),
        })),
      });
    },
    pushIndex(repository, tag, manifests) {
      return putManifest(repository, tag, INDEX, { schemaVersion: 2, mediaType: INDEX, manifests }).digest;
    },
    async close() {
      await server.close();
      await objects.close();
    },
  };
}
