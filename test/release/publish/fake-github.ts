import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Asset {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly state: string;
  readonly digest: string | null;
  readonly data: Buffer;
}
interface Release {
  readonly id: number;
  readonly tag_name: string;
  readonly name: string;
  readonly prerelease: boolean;
  draft: boolean;
  assets: Asset[];
}

export interface GithubFault {
  readonly method: string;
  readonly path: RegExp;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** The upload breaks off after GitHub took its name. */
  readonly leavesStarter?: boolean;
  /** Someone else's file of the name is there from now on. */
  readonly adds?: Buffer;
  times?: number;
}

export interface FakeGithub {
  readonly api: string;
  readonly releases: Release[];
  readonly requests: {
    readonly method: string;
    readonly path: string;
    readonly authorization: string | undefined;
  }[];
  fault(fault: GithubFault): void;
  addRelease(release: { tag: string; draft?: boolean; assets?: Readonly<Record<string, string>> }): Release;
  close(): Promise<void>;
}

/**
 * Answers as GitHub's REST API does for releases and their assets, version 2022-11-28: drafts are not found by their tag, a name can be taken
 * once, an upload that breaks off leaves an asset in state "starter". `digests: false` is an older server that says none.
 */
export async function startFakeGithub(options: { readonly digests?: boolean } = {}): Promise<FakeGithub> {
  const releases: Release[] = [];
  const requests: { method: string; path: string; authorization: string | undefined }[] = [];
  const faults: GithubFault[] = [];
  let ids = 0;
  const newAsset = (name: string, data: Buffer, state = 'uploaded'): Asset => ({
    ...{ id: ++ids, name, size: data.length, state, data },
    digest: options.digests === false ? null : `sha256:${createHash('sha256').update(data).digest('hex')}`,
  });
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const shown = ({ assets: _, ...release }: Release) => ({
    ...release,
    html_url: `https://github.example/acme/k8s/releases/tag/${release.tag_name}`,
    upload_url: `${api}/repos/acme/k8s/releases/${release.id}/assets{?name,label}`,
  });
  const asset = ({ data: _, ...rest }: Asset) => rest;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', api);
    const { method = '' } = request;
    requests.push({
      method,
      path: `${url.pathname}${url.search}`,
      authorization: request.headers.authorization,
    });
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const end = (status: number, value?: unknown, headers: Record<string, string> = {}) =>
      void response.writeHead(status, headers).end(value === undefined ? '' : JSON.stringify(value));
    if (url.pathname.startsWith('/objects/')) {
      const data = releases
        .flatMap(({ assets }) => assets)
        .find(({ id }) => url.pathname === `/objects/${id}`)?.data;
      return void response.writeHead(data === undefined ? 404 : 200).end(data);
    }
    const path = url.pathname.replace('/repos/acme/k8s', '');
    const uploaded = /^\/releases\/(\d+)\/assets$/.exec(path)?.[1];
    const target = releases.find(({ id }) => String(id) === uploaded);
    const name = url.searchParams.get('name') ?? '';
    const fault = faults.find((each) => each.method === method && each.path.test(`${path}${url.search}`));
    if (fault !== undefined) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
      if (fault.leavesStarter) target?.assets.push(newAsset(name, Buffer.alloc(0), 'starter'));
      if (fault.adds !== undefined) target?.assets.push(newAsset(name, fault.adds));
      return end(fault.status, fault.body, { ...fault.headers });
    }
    if (request.headers.authorization !== 'Bearer good') return end(401, { message: 'Bad credentials' });
    if (target !== undefined && method === 'POST') {
      if (target.assets.some((each) => each.name === name))
        return end(422, {
          message: 'Validation Failed',
          errors: [{ resource: 'ReleaseAsset', code: 'already_exists', field: 'name' }],
        });
      const added = newAsset(name, body);
      target.assets.push(added);
      return end(201, asset(added));
    }
    if (target !== undefined) {
      const page = Number(url.searchParams.get('page'));
      const rest = target.assets.length > page * 100;
      const found = target.assets.slice((page - 1) * 100, page * 100).map(asset);
      return end(200, found, rest ? { link: `<${api}>; rel="next"` } : {});
    }
    const tag = /^\/releases\/tags\/(.+)$/.exec(path)?.[1];
    if (tag !== undefined) {
      const found = releases.find(({ tag_name, draft }) => !draft && tag_name === decodeURIComponent(tag));
      return found === undefined ? end(404, { message: 'Not Found' }) : end(200, shown(found));
    }
    if (path === '/releases' && method === 'GET') return end(200, releases.map(shown));
    if (path === '/releases') {
      const { tag_name, name: title, prerelease, draft } = JSON.parse(body.toString());
      const made = { id: ++ids, tag_name, name: title, prerelease, draft, assets: [] };
      releases.unshift(made);
      return end(201, shown(made));
    }
    const one = /^\/releases\/assets\/(\d+)$/.exec(path)?.[1];
    if (one !== undefined && method === 'DELETE') {
      for (const release of releases) release.assets = release.assets.filter(({ id }) => String(id) !== one);
      return end(204);
    }
    if (one !== undefined)
      return end(302, undefined, { location: `${api.replace('127.0.0.1', 'localhost')}/objects/${one}` });
    const release = releases.find(({ id }) => path === `/releases/${id}`);
    if (release === undefined) return end(404, { message: 'Not Found' });
    release.draft = JSON.parse(body.toString()).draft;
    end(200, shown(release));
  }

  return {
    ...{ api, releases, requests },
    fault: (fault) => void faults.push({ ...fault }),
    addRelease({ tag, draft = false, assets = {} }) {
      const release: Release = {
        ...{ id: ++ids, tag_name: tag, name: tag, prerelease: false, draft },
        assets: Object.entries(assets).map(([name, data]) => newAsset(name, Buffer.from(data))),
      };
      releases.unshift(release);
      return release;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
