import { createHash } from 'node:crypto';
import { z } from 'zod';
import { statusError, throwIfInterrupted, withRetries } from '../../sources/attempts.ts';
import { SextantError } from '../../support/errors.ts';
import { connectionError, type HttpRequest, type HttpResponse, httpRequest } from '../../support/http.ts';
import { jsonOrUndefined } from '../../support/json.ts';
import { systemClock } from '../../support/retry.ts';
import { readText } from '../registry/answer.ts';
import type { RegistryContext } from '../registry/client.ts';

// GitHub REST API, "Releases" and "Release assets", version 2022-11-28.
const API = 'https://api.github.com';

const asset = z.looseObject({
  id: z.number(),
  name: z.string(),
  size: z.number(),
  state: z.string(),
  digest: z.string().nullish(),
});
const release = z.looseObject({
  id: z.number(),
  tag_name: z.string(),
  draft: z.boolean(),
  html_url: z.string(),
  upload_url: z.string(),
});
export type Asset = z.output<typeof asset>;
export type GithubRelease = z.output<typeof release>;

interface Call {
  readonly method?: NonNullable<HttpRequest['method']>;
  readonly json?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => AsyncIterable<Uint8Array>;
  readonly accept: readonly number[];
  readonly what: string;
}

export interface GithubAnswer {
  readonly status: number;
  readonly text: string;
  readonly link: string;
}

/** The releases of a repository, as its REST API shows them. */
export interface GithubApi {
  readonly name: string;
  /** A path below the repository, or a whole address of the API's own. */
  call(to: string, call: Call): Promise<GithubAnswer>;
  /** The bytes of a path, followed to where it redirects once. */
  streamed<T>(to: string, what: string, take: (body: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T>;
}

/**
 * Opens a repository's API with the token in GITHUB_TOKEN (or GH_TOKEN); GITHUB_API_URL names another server, as GitHub Actions sets it. Throws
 * `usage` without a token. Redirects are not followed: the token is for this server.
 */
export function openGithub(
  owner: string,
  repository: string,
  context: RegistryContext,
  environment: NodeJS.ProcessEnv = process.env,
): GithubApi {
  const { signal, clock = systemClock } = context;
  const name = `${owner}/${repository}`;
  const api = (environment.GITHUB_API_URL || API).replace(/\/+$/, '');
  const token = environment.GITHUB_TOKEN || environment.GH_TOKEN;
  if (!token) {
    throw new SextantError('usage', `github:${name}: a token is needed`, {
      hint: 'set GITHUB_TOKEN to a token that may write the contents of the repository',
    });
  }
  const { protocol, hostname } = new URL(api);
  if (protocol !== 'https:' && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) {
    throw new SextantError('usage', `GITHUB_API_URL is ${api}: the token is not sent unencrypted`, {
      hint: 'use an https address',
    });
  }

  async function send(to: string, call: Call): Promise<HttpResponse> {
    const address = to.startsWith('/') ? `${api}/repos/${name}${to}` : to;
    if (!isGithubs(address, api)) {
      throw new SextantError(
        'network',
        `${name}: ${call.what}: sent to a server that is not GitHub's, refused`,
        { hint: 'the token stays with the server it was made for' },
      );
    }
    const body = call.json === undefined ? call.body?.() : JSON.stringify(call.json);
    return guarded(address, async () => {
      const response = await httpRequest(address, {
        method: call.method ?? 'GET',
        headers: {
          accept: 'application/vnd.github+json',
          'x-github-api-version': '2022-11-28',
          authorization: `Bearer ${token}`,
          ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
          ...call.headers,
        },
        signal,
        ...(body === undefined ? {} : { body }),
      });
      if (call.accept.includes(response.status)) return response;
      const text = await readText(response, `github:${name}`);
      throw refusal(`github:${name}: ${call.what}`, response, text, clock.now());
    });
  }

  async function guarded<T>(address: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throwIfInterrupted(signal);
      if (error instanceof SextantError) throw error;
      throw connectionError(new URL(address).origin, error);
    }
  }

  return {
    name,
    call: (to, call) =>
      withRetries({ clock, signal }, async () => {
        const response = await send(to, call);
        const text = await guarded(api, () => readText(response, `github:${name}`));
        return { status: response.status, text, link: response.headers.link ?? '' };
      }),
    streamed: (to, what, take) =>
      withRetries({ clock, signal }, async () => {
        const first = await send(to, {
          headers: { accept: 'application/octet-stream' },
          accept: [200, 302],
          what,
        });
        if (first.status === 200) return guarded(api, () => take(first.body));
        await first.discard();
        const { location = '' } = first.headers;
        const second = await guarded(location, () => httpRequest(location, { signal }));
        if (second.status !== 200) throw statusError(`github:${name}: ${what}`, second);
        return guarded(location, () => take(second.body));
      }),
  };
}

/** Whether an address is the API's server, or the one for uploads that belongs to it. */
function isGithubs(address: string, api: string): boolean {
  if (!URL.canParse(address)) return false;
  const [there, home] = [new URL(address), new URL(api)];
  const hosts = [home.host, home.host.replace(/^api\./, 'uploads.')];
  return there.protocol === home.protocol && hosts.includes(there.host);
}

const said = z.looseObject({ message: z.string() });

function refusal(
  text: string,
  { status, headers }: Pick<HttpResponse, 'status' | 'headers'>,
  body: string,
  now: number,
): SextantError {
  const words = said
    .safeParse(jsonOrUndefined(body))
    .data?.message.replace(/\p{Cc}/gu, ' ')
    .slice(0, 200);
  const full = words === undefined ? text : `${text} (${words})`;
  if (status === 401) {
    return statusError(full, { status, headers }, 'the token is not valid; set GITHUB_TOKEN to one that is');
  }
  const exhausted = headers['x-ratelimit-remaining'] === '0';
  if ((status === 403 || status === 429) && (exhausted || 'retry-after' in headers)) {
    const reset = exhausted ? Number(headers['x-ratelimit-reset']) * 1000 : Number.NaN;
    const when = Number.isFinite(reset) ? ` until ${new Date(reset).toISOString().slice(0, 19)}Z` : '';
    // A limit that is over soon is waited for like any server's "later".
    const wait = Number.isFinite(reset)
      ? String(Math.max(1, Math.ceil((reset - now) / 1000)))
      : headers['retry-after'];
    const limited = { status: 429, headers: { 'retry-after': wait ?? '' } };
    const error = statusError(full, limited);
    return new SextantError('network', `${text}: GitHub's rate limit is used up${when}`, {
      hint: 'run the same command again then; what is there already is not uploaded again',
      cause: error.cause,
    });
  }
  if (status === 403 || status === 404) {
    return statusError(
      full,
      { status, headers },
      'check the repository; the token must be allowed to write its contents (contents: write in GitHub Actions)',
    );
  }
  return statusError(full, { status, headers }, 'run the same command again later');
}

/** What GitHub says of an error, as " (message)"; "" where it says nothing readable. */
function wordsOf(body: string): string {
  const words = said.safeParse(jsonOrUndefined(body)).data?.message;
  return words === undefined ? '' : ` (${words.replace(/\p{Cc}/gu, ' ').slice(0, 200)})`;
}

function shaped<T>(schema: z.ZodType<T>, answer: GithubAnswer, api: GithubApi): T {
  const result = schema.safeParse(jsonOrUndefined(answer.text));
  if (result.success) return result.data;
  throw new SextantError('network', `github:${api.name}: not an answer of GitHub's API`, {
    hint: 'check GITHUB_API_URL and the proxy',
    details: z.prettifyError(result.error),
  });
}

/** The release of a tag: the published one, else a draft that is being made of it; undefined where there is none. */
export async function findRelease(api: GithubApi, tag: string): Promise<GithubRelease | undefined> {
  const what = `look for the release ${tag}`;
  const published = await api.call(`/releases/tags/${encodeURIComponent(tag)}`, { accept: [200, 404], what });
  if (published.status === 200) return shaped(release, published, api);
  // A draft is found by nothing but looking through the newest releases.
  for (let page = 1; page <= 10; page += 1) {
    const answer = await api.call(`/releases?per_page=100&page=${page}`, { accept: [200], what });
    const found = shaped(z.array(release), answer, api).find(
      ({ tag_name, draft }) => draft && tag_name === tag,
    );
    if (found !== undefined || !/rel="next"/.test(answer.link)) return found;
  }
  return undefined;
}

export async function createDraft(
  api: GithubApi,
  draft: { readonly tag: string; readonly name: string; readonly body: string; readonly prerelease: boolean },
): Promise<GithubRelease> {
  const { tag, name, body, prerelease } = draft;
  const answer = await api.call('/releases', {
    method: 'POST',
    json: { tag_name: tag, name, body, prerelease, draft: true },
    accept: [201],
    what: `draft of the release ${tag}`,
  });
  return shaped(release, answer, api);
}

export async function publishDraft(api: GithubApi, { id, tag_name }: GithubRelease): Promise<GithubRelease> {
  const answer = await api.call(`/releases/${id}`, {
    method: 'PATCH',
    json: { draft: false },
    accept: [200],
    what: `publish the draft of ${tag_name}`,
  });
  return shaped(release, answer, api);
}

export async function listAssets(api: GithubApi, { id }: GithubRelease): Promise<Asset[]> {
  const found: Asset[] = [];
  for (let page = 1; page <= 10; page += 1) {
    const answer = await api.call(`/releases/${id}/assets?per_page=100&page=${page}`, {
      accept: [200],
      what: 'list of files',
    });
    found.push(...shaped(z.array(asset), answer, api));
    if (!/rel="next"/.test(answer.link)) break;
  }
  return found;
}

export async function deleteAsset(api: GithubApi, { id, name }: Asset): Promise<void> {
  await api.call(`/releases/assets/${id}`, { method: 'DELETE', accept: [204, 404], what: `remove ${name}` });
}

/** SHA-256 of an asset as it is served, for servers that do not say it: from the API, or from where it redirects, which gets no token. */
export async function fetchedDigest(api: GithubApi, { id, name }: Asset): Promise<string> {
  const what = `read ${name}`;
  return api.streamed(`/releases/assets/${id}`, what, async (body) => {
    const hash = createHash('sha256');
    for await (const piece of body) hash.update(piece);
    return hash.digest('hex');
  });
}

export async function uploadAsset(
  api: GithubApi,
  { upload_url }: GithubRelease,
  file: { readonly name: string; readonly size: number; readonly mediaType: string },
  body: () => AsyncIterable<Uint8Array>,
): Promise<Asset | 'exists'> {
  const to = `${upload_url.replace(/\{.*$/, '')}?name=${encodeURIComponent(file.name)}`;
  const answer = await api.call(to, {
    method: 'POST',
    headers: { 'content-type': file.mediaType, 'content-length': String(file.size) },
    body,
    accept: [201, 422],
    what: `upload of ${file.name}`,
  });
  if (answer.status === 201) return shaped(asset, answer, api);
  if (/already_exists/.test(answer.text)) return 'exists';
  throw new SextantError(
    'network',
    `github:${api.name}: upload of ${file.name}: HTTP 422${wordsOf(answer.text)}`,
    {
      hint: 'GitHub does not take this file for this release; see whether the release is immutable',
    },
  );
}
