import { parseChallenge } from '../../support/registry/challenge.ts';
import { registryCredentials } from '../../support/registry/credentials.ts';
import { answerChallenge, tokenIn } from '../../support/registry/token.ts';
import { type AskContext, askText, parseJson } from '../ask-text.ts';
import { statusError } from '../attempts.ts';
import { addressText, isRegistry, mirrored } from '../mirrors.ts';

/**
 * Headers that let `url` of a registry be read: none where it is public, else a token or login as the registry asks for it (the
 * token authentication specification of the distribution project). Credentials are docker's (support/registry/credentials.ts);
 * anonymous otherwise.
 */
export async function authorization(url: string, context: AskContext): Promise<Record<string, string>> {
  const address = mirrored(url, context.mirrors);
  // What the mirror's own registry wants is the store's to find out.
  if (isRegistry(address)) return {};
  const probe = await askText(url, context, {
    headers: { accept: '*/*' },
    accept: [401, 403, 404, 405, 406],
    limit: 64 * 1024 * 1024,
  });
  if (probe.status !== 401) return {};
  const text = addressText(url, address);
  const { host, pathname } = new URL(address);
  const repository = /^\/v2\/(.+)\/(?:tags|blobs|manifests)\//.exec(pathname)?.[1] ?? '';
  const login = await registryCredentials(host, repository);
  const challenge = parseChallenge(probe.headers['www-authenticate'] ?? '');
  const wanted = answerChallenge(challenge, login, { address, text });
  if (wanted === undefined) throw statusError(text, probe, loginHint(host));
  if ('header' in wanted) return { authorization: wanted.header };
  const { method, headers, body } = wanted;
  const answer = await askText(wanted.url, context, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    explain: (refused, where) =>
      [401, 403].includes(refused.status) ? statusError(where, refused, loginHint(host)) : undefined,
  });
  return { authorization: tokenIn(parseJson(answer, wanted.url), wanted.url, loginHint(host)).header };
}

function loginHint(host: string): string {
  return `the repository does not exist or is not public; for a login run: docker login ${host}`;
}
