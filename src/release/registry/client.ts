import { setMaxListeners } from 'node:events';
import { statusError, throwIfInterrupted, withRetries } from '../../sources/attempts.ts';
import { ask } from '../../sources/transport.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import {
  connectionError,
  type HttpRequest,
  type HttpResponse,
  httpRequest,
  redact,
} from '../../support/http.ts';
import { jsonOrUndefined } from '../../support/json.ts';
import { parseChallenge } from '../../support/registry/challenge.ts';
import { registryCredentials } from '../../support/registry/credentials.ts';
import { type OciReference, repositoryUrl } from '../../support/registry/reference.ts';
import { answerChallenge, tokenIn } from '../../support/registry/token.ts';
import { type Clock, systemClock } from '../../support/retry.ts';
import { readText, serverWords } from './answer.ts';

export type RegistryContext = Pick<Context, 'progress' | 'signal'> & { readonly clock?: Clock };

export interface RegistryRequest {
  readonly method: NonNullable<HttpRequest['method']>;
  /** Below the repository ("/blobs/..."), or a whole address that the registry gave. */
  readonly to: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each time it is sent. */
  readonly body?: () => NonNullable<HttpRequest['body']>;
  /** Statuses that are answers; every other is an error. */
  readonly accept: readonly number[];
  /** What is being done, for people: "upload of a.raw". */
  readonly what: string;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Address that answered. */
  readonly url: string;
}

/** A repository of a registry that is written to (OCI distribution specification 1.1). */
export interface Repository {
  /** "HOST/REPOSITORY", for people and references. */
  readonly name: string;
  readonly context: Required<RegistryContext>;
  /** One request with the login that the registry wants; `network` for a status not asked for, and for broken connections. */
  once(request: RegistryRequest): Promise<RegistryAnswer>;
  /** The same with back-off and new attempts where they can help (Retry-After is obeyed). */
  request(request: RegistryRequest): Promise<RegistryAnswer>;
}

/** A token is renewed this long before it ends: an upload begun with it is not refused half-way for the way's length. */
const EARLY_MS = 10_000;

/**
 * Opens a repository for pushing. Nothing is sent yet. Credentials are docker's; they go to the registry's own origin and to the token service it
 * names over https, and nowhere else: not to where it redirects, nor to an upload address elsewhere.
 */
export function openRepository(
  reference: Pick<OciReference, 'registry' | 'repository' | 'target' | 'isDigest'>,
  given: RegistryContext,
  options: { readonly plainHttp?: boolean } = {},
): Repository {
  const context = { ...given, clock: given.clock ?? systemClock };
  const { clock, signal } = context;
  // Each request under way listens, and there are a dozen at once: no leak.
  setMaxListeners(64, signal);
  const name = `${reference.registry}/${reference.repository}`;
  const secure = repositoryUrl(reference);
  const base = options.plainHttp ? secure.replace(/^https:/, 'http:') : secure;
  const origin = new URL(base).origin;
  const scopes = [`repository:${reference.repository}:pull,push`];
  let known: { readonly header: string; readonly until: number } | undefined;
  let renewing: Promise<void> | undefined;
  let challenge: string | undefined;

  async function renew(said: string): Promise<void> {
    challenge = said;
    const login = await registryCredentials(reference.registry, reference.repository);
    const wanted = answerChallenge(parseChallenge(said), login, { address: base, text: name, scopes });
    const hint = loginHint(login !== undefined);
    if (wanted === undefined) throw statusError(name, { status: 401, headers: {} }, hint);
    if ('header' in wanted) {
      known = { header: wanted.header, until: Number.POSITIVE_INFINITY };
      return;
    }
    const { method, url, headers, body } = wanted;
    const text = `${name}: token from ${redact(new URL(url).origin)}`;
    const asked = clock.now();
    const answer = await withRetries({ clock, signal }, async () => {
      const request = { method, headers, signal, ...(body === undefined ? {} : { body }) };
      const response = await connected(url, () => httpRequest(url, request));
      const said = await readText(response, text);
      if (response.status === 200) return said;
      throw statusError(
        `${text}${serverWords(said)}`,
        response,
        [401, 403].includes(response.status) ? hint : undefined,
      );
    });
    const { header, seconds = 0 } = tokenIn(jsonOrUndefined(answer), url, hint);
    // The clocks of others do not matter: it holds for that long from when it was asked for.
    known = { header, until: asked + seconds * 1000 };
  }

  function renewed(said: string): Promise<void> {
    renewing ??= renew(said).finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  function loginHint(hasLogin: boolean): string {
    return hasLogin
      ? `the login for ${reference.registry} is refused or may not push to ${reference.repository}; log in again: docker login ${reference.registry}`
      : `log in first: docker login ${reference.registry}`;
  }

  async function connected<T>(address: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throwIfInterrupted(signal);
      if (error instanceof SextantError) throw error;
      const { message, cause } = connectionError(new URL(address).origin, error);
      throw new SextantError('network', `${name}: ${message}`, {
        cause,
        hint: 'run the same command again; what is there already is not uploaded again',
      });
    }
  }

  async function send(request: RegistryRequest, address: string): Promise<HttpResponse & { url: string }> {
    const atHome = new URL(address).origin === origin;
    if (atHome && known !== undefined && clock.now() > known.until - EARLY_MS && challenge !== undefined) {
      await renewed(challenge);
    }
    const headers = {
      ...request.headers,
      ...(atHome && known !== undefined ? { authorization: known.header } : {}),
    };
    const { method } = request;
    const sent = { method, headers, signal, ...(request.body === undefined ? {} : { body: request.body() }) };
    if (method === 'GET' || method === 'HEAD') {
      const answered = await connected(address, () => ask(address, [], sent));
      return { ...answered, url: answered.finalUrl };
    }
    return { ...(await connected(address, () => httpRequest(address, sent))), url: address };
  }

  async function once(request: RegistryRequest): Promise<RegistryAnswer> {
    throwIfInterrupted(signal);
    const address = request.to.startsWith('/') ? `${base}${request.to}` : request.to;
    if (base.startsWith('https:') && !address.startsWith('https:')) {
      throw new SextantError('network', `${name}: ${request.what}: sent to an unencrypted address, refused`, {
        hint: 'report it to the registry',
      });
    }
    const before = known;
    let response = await send(request, address);
    const said = response.headers['www-authenticate'];
    if (response.status === 401 && said !== undefined && new URL(response.url).origin === origin) {
      await response.discard();
      // Another request may have renewed it meanwhile.
      if (known === before) await renewed(said);
      response = await send(request, address);
    }
    const { status, headers, url } = response;
    const text = request.method === 'HEAD' ? '' : await readText(response, name);
    if (request.method === 'HEAD') await response.discard();
    if (request.accept.includes(status)) return { status, headers, text, url };
    const error = statusError(
      `${name}: ${request.what}${serverWords(text)}`,
      response,
      hintFor(status, loginHint(known !== undefined)),
    );
    throw error;
  }

  return {
    name,
    context,
    once,
    request: (request) => withRetries({ clock, signal }, () => once(request)),
  };
}

function hintFor(status: number, login: string): string | undefined {
  if (status === 401 || status === 403) return login;
  if (status === 404) return 'check the address; some registries want the repository to be made first';
  if (status === 413) return 'the registry takes no file of this size; ask its administrator for the limit';
  if (status === 429)
    return 'the registry wants fewer requests; wait and run the same command again: what is there is not uploaded again';
  return 'run the same command again later; what is there already is not uploaded again';
}
