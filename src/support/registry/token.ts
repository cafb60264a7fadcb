import { z } from 'zod';
import { SextantError } from '../errors.ts';
import { redact } from '../http.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credential-helper.ts';

// https://distribution.github.io/distribution/spec/auth/token/ and .../auth/oauth/
const tokenAnswer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().positive().optional(),
});

/** How a token is asked for. The caller sends it, with its own retries; redirects must not take the secrets along. */
export interface TokenRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The Authorization header that answers a challenge, and for how many seconds it holds (undefined: until refused). */
export interface Authorization {
  readonly header: string;
  readonly seconds?: number;
}

/** A token that says nothing of its time holds for this long (the specification's default). */
const DEFAULT_SECONDS = 60;

/**
 * What a challenge wants: at once for Basic, else the request for a token. `undefined` where it wants a login and there is none. `where` names the
 * registry's address. Throws `network` for challenges that cannot be answered safely.
 */
export function answerChallenge(
  challenge: Challenge | undefined,
  credentials: Credentials | undefined,
  about: { readonly address: string; readonly text: string; readonly scopes?: readonly string[] },
): Authorization | TokenRequest | undefined {
  if (credentials?.kind === 'bearer') return { header: `Bearer ${credentials.token}` };
  if (challenge?.scheme === 'basic') {
    return credentials?.kind === 'password' ? { header: `Basic ${basic(credentials)}` } : undefined;
  }
  const realm = challenge?.parameters.realm;
  if (challenge?.scheme !== 'bearer' || realm === undefined || !URL.canParse(realm)) {
    throw new SextantError(
      'network',
      `${about.text}: the registry asks for a login in a way that is not supported`,
      {
        hint: 'Basic and Bearer are; check that the address is a registry',
      },
    );
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !about.address.startsWith('http://')) {
    throw new SextantError(
      'network',
      `${about.text}: the registry asks for tokens at ${redact(realm)}, unencrypted`,
      { hint: 'credentials are not sent unencrypted; report it to the registry' },
    );
  }
  const { service, scope } = challenge.parameters;
  const scopes = [...new Set([...(about.scopes ?? []), ...(scope?.split(' ') ?? [])])];
  if (credentials?.kind === 'refresh-token') {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'sextant' });
    if (service !== undefined) form.set('service', service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    form.set('refresh_token', credentials.token);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: url.href, headers, body: form.toString() };
  }
  if (service !== undefined) url.searchParams.set('service', service);
  for (const each of scopes) url.searchParams.append('scope', each);
  const headers: Record<string, string> =
    credentials === undefined ? {} : { authorization: `Basic ${basic(credentials)}` };
  return { method: 'GET', url: url.href, headers };
}

/** The token in an answer of a token service. Throws `network` for an answer without one. */
export function tokenIn(value: unknown, url: string, hint: string): Authorization {
  const parsed = tokenAnswer.safeParse(value);
  const token = parsed.data?.token ?? parsed.data?.access_token;
  if (token === undefined || token === '') {
    throw new SextantError('network', `${redact(url)}: the answer holds no token`, { hint });
  }
  return { header: `Bearer ${token}`, seconds: parsed.data?.expires_in ?? DEFAULT_SECONDS };
}

function basic({ username, password }: Extract<Credentials, { kind: 'password' }>): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
