import { parseReference, repositoryUrl } from '../support/registry/reference.ts';
import { systemClock } from '../support/retry.ts';
import type { AskContext } from './ask-text.ts';
import { isRegistry, mirrorOf } from './mirrors.ts';
import { authorization } from './oci/login.ts';
import type { Mirror } from './types.ts';

/** Where a pinned file is asked for, in the place of its own address. */
export interface PinnedPlace {
  readonly url: string;
  readonly mirrors: readonly Mirror[];
  readonly headers: Readonly<Record<string, string>>;
}

/** A token may hold for a minute only: a login is asked for anew after this. */
const LOGIN_MS = 30_000;

/**
 * Mirrors that are registries (`to: oci://HOST/REPOSITORY`, as `sextant mirror` fills one): every file is a blob under its digest, whatever its
 * address was. Gives the blob's address with the registry's own login (docker's credentials); undefined where no such mirror stands for an
 * address. Headers for the address itself do not go there.
 */
export function registryMirrors(
  context: AskContext,
): (url: string, sha256: string) => Promise<PinnedPlace | undefined> {
  const { clock = systemClock } = context;
  const logins = new Map<
    string,
    { readonly since: number; readonly headers: Promise<PinnedPlace['headers']> }
  >();

  const login = (base: string): Promise<PinnedPlace['headers']> => {
    const known = logins.get(base);
    if (known !== undefined && clock.now() - known.since < LOGIN_MS) return known.headers;
    const headers = authorization(`${base}/tags/list`, { ...context, mirrors: [] });
    const asked = { since: clock.now(), headers };
    logins.set(base, asked);
    // One that failed is asked for again.
    headers.catch(() => logins.get(base) === asked && logins.delete(base));
    return headers;
  };

  return async (url, sha256) => {
    const to = mirrorOf(url, context.mirrors)?.to;
    if (to === undefined || !isRegistry(to)) return undefined;
    const base = repositoryUrl(parseReference(to));
    return { url: `${base}/blobs/sha256:${sha256}`, mirrors: [], headers: await login(base) };
  };
}
