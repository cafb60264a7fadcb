import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Plan } from '../release/registry/plan.ts';

export interface RegistryServer {
  /** Host and port as a guest on QEMU's user network sees it (slirp: the host is 10.0.2.2). */
  readonly guestHost: string;
  readonly port: number;
  /** Method and path of every request so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/**
 * Shows one planned release on loopback as a registry that has it does (OCI distribution specification 1.1, "Pull"), in whatever repository it is
 * asked for: for guests, beside the real registries that judge publishing in the tests. `token`: who has none is sent to where everybody
 * gets one, as public registries do (https://distribution.github.io/distribution/spec/auth/token/).
 */
export async function serveRegistry(plan: Plan, { token = false } = {}): Promise<RegistryServer> {
  const secret = randomBytes(12).toString('base64');
  const requests: string[] = [];
  const documents = new Map([...plan.documents, ...plan.attached].map((each) => [each.digest, each]));
  for (const { tag, document } of plan.tags) documents.set(tag, document);
  const blobs = new Map(plan.blobs.map((blob) => [blob.digest, blob]));
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/token?')) return void response.end(JSON.stringify({ token: secret }));
    if (token && request.headers.authorization !== `Bearer ${secret}`) {
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="lab",scope="pull"`;
      return void response.writeHead(401, { 'WWW-Authenticate': challenge }).end('{}');
    }
    const [, kind = '', name = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/?]+)$/.exec(request.url ?? '') ?? [];
    const isHead = request.method === 'HEAD';
    const document = kind === 'manifests' ? documents.get(name) : undefined;
    const blob = kind === 'blobs' ? blobs.get(name) : undefined;
    if (document !== undefined) {
      response.writeHead(200, {
        'content-type': document.mediaType,
        'content-length': document.bytes.length,
        'docker-content-digest': document.digest,
      });
      response.end(isHead ? undefined : document.bytes);
    } else if (blob !== undefined) {
      response.writeHead(200, { 'content-length': blob.size, 'docker-content-digest': blob.digest });
      if (isHead) response.end();
      else await pipeline(Readable.from(blob.read(0), { objectMode: false }), response);
    } else {
      response.writeHead(request.url === '/v2/' ? 200 : 404).end('{}');
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    ...{ guestHost: `10.0.2.2:${port}`, port, requests },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
