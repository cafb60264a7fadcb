import type { IncomingMessage } from 'node:http';
import type { Mirror } from '../../src/sources/types.ts';
import { type Behaviour, startServer, type TestServer } from './server.ts';

export interface GitHub {
  /** github.com and api.github.com, under /github and /api. */
  readonly server: TestServer;
  /** Where downloads redirect to: another host with signed addresses. */
  readonly objects: TestServer;
  readonly mirrors: readonly Mirror[];
  /** Publishes a release; assets by name. */
  release(
    repository: string,
    tag: string,
    assets: Record<string, Buffer | string>,
    prerelease?: boolean,
  ): void;
  /** Makes every API answer one that says that the limit is used up until this time (seconds since 1970). */
  exhaust(reset: number): void;
  close(): Promise<void>;
}

const PAGE = 3;

/**
 * A server that behaves as GitHub does towards what we use of it: release downloads that redirect to a signed address on another
 * host, the releases API in pages (of 3, to have several), 404 for what is not there, and rate limits.
 */
export async function startGitHub(): Promise<GitHub> {
  const server = await startServer();
  const objects = await startServer();
  const repositories = new Map<
    string,
    { tag_name: string; prerelease: boolean; assets: { name: string }[] }[]
  >();
  let reset: number | undefined;
  const limited = (answer: (request: IncomingMessage) => Behaviour) => (request: IncomingMessage) =>
    reset === undefined
      ? answer(request)
      : {
          status: 403,
          body: '{"message":"API rate limit exceeded"}',
          headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) },
        };
  return {
    server,
    objects,
    mirrors: [
      { from: 'https://github.com/', to: `${server.url}/github/` },
      { from: 'https://api.github.com/', to: `${server.url}/api/` },
      { from: 'https://update.k3s.io/', to: `${server.url}/k3s/` },
    ],
    release(repository, tag, assets, prerelease = false) {
      const releases = repositories.get(repository) ?? [];
      repositories.set(repository, releases);
      releases.unshift({ tag_name: tag, prerelease, assets: Object.keys(assets).map((name) => ({ name })) });
      for (const [name, body] of Object.entries(assets)) {
        const path = `${repository}/releases/download/${encodeURIComponent(tag)}/${encodeURIComponent(name)}`;
        const signed = `/production/${encodeURIComponent(tag + name)}?X-Amz-Signature=0123`;
        server.on(`/github/${path}`, { redirect: objects.url.replace('127.0.0.1', 'localhost') + signed });
        objects.on(signed, { body, headers: { 'content-type': 'application/octet-stream' } });
      }
      server.on(
        `/api/repos/${repository}/releases`,
        limited((request) => {
          const page = Number(new URL(request.url ?? '', server.url).searchParams.get('page') ?? 1);
          const more = releases.length > page * PAGE;
          return {
            body: JSON.stringify(releases.slice((page - 1) * PAGE, page * PAGE)),
            headers: more
              ? { link: `<${server.url}/next>; rel="next", <${server.url}/last>; rel="last"` }
              : {},
          };
        }),
      );
      server.on(
        `/api/repos/${repository}/releases/latest`,
        limited(() => {
          const latest = releases.find((each) => !each.prerelease);
          return latest === undefined ? { status: 404 } : { body: JSON.stringify(latest) };
        }),
      );
    },
    exhaust(at) {
      reset = at;
    },
    async close() {
      await server.close();
      await objects.close();
    },
  };
}
