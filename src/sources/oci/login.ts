import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import { redact } from '../../support/http.ts';
import { type AskContext, askText, parseJson } from '../ask-text.ts';
import { statusError } from '../attempts.ts';
import { addressText, mirrored } from '../mirrors.ts';

const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
});
const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * Headers that let `url` of a registry be read: none where it is public, else a token or login as the registry asks for it (the
 * token authentication specification of the distribution project). Credentials come from ~/.docker/config.json, or from
 * $DOCKER_CONFIG/config.json; anonymous otherwise.
 */
export async function authorization(url: string, context: AskContext): Promise<Record<string, string>> {
  const address = mirrored(url, context.mirrors);
  const probe = await askText(url, context, {
    headers: { accept: '*/*' },
    accept: [401, 403, 404, 405, 406],
    limit: 64 * 1024 * 1024,
  });
  if (probe.status !== 401) return {};
  const challenge = parseChallenge(probe.headers['www-authenticate'] ?? '');
  const login = await credentials(address);
  const text = addressText(url, address);
  if (challenge?.scheme === 'basic') {
    if (login === undefined) throw statusError(text, probe, loginHint(address));
    return { authorization: `Basic ${login}` };
  }
  const realm = challenge?.parameters.realm;
  if (challenge?.scheme !== 'bearer' || realm === undefined || !URL.canParse(realm)) {
    throw statusError(text, probe, 'the registry asks for a login in a way that is not supported');
  }
  const tokenUrl = new URL(realm);
  if (tokenUrl.protocol !== 'https:' && !address.startsWith('http://')) {
    throw new SextantError(
      'network',
      `${text}: the registry asks for tokens at ${redact(realm)}, unencrypted`,
      {
        hint: 'credentials are not sent unencrypted; report it to the registry',
      },
    );
  }
  for (const name of ['service', 'scope'] as const) {
    const value = challenge.parameters[name];
    if (value !== undefined) tokenUrl.searchParams.set(name, value);
  }
  const answer = await askText(tokenUrl.href, context, {
    ...(login === undefined ? {} : { headers: { authorization: `Basic ${login}` } }),
    explain: (refused, where) =>
      [401, 403].includes(refused.status) ? statusError(where, refused, loginHint(address)) : undefined,
  });
  const parsed = tokenAnswer.safeParse(parseJson(answer, tokenUrl.href));
  const token = parsed.data?.token ?? parsed.data?.access_token;
  if (token === undefined) {
    throw new SextantError('network', `${redact(tokenUrl.href)}: the answer holds no token`, {
      hint: loginHint(address),
    });
  }
  return { authorization: `Bearer ${token}` };
}

function loginHint(address: string): string {
  return `the repository does not exist or is not public; for a login run: docker login ${new URL(address).host}`;
}

/** `WWW-Authenticate: Bearer realm="...",service="...",scope="..."` (RFC 9110, 11.6.1; RFC 6750, 3). */
export function parseChallenge(
  header: string,
): { scheme: string; parameters: Readonly<Record<string, string>> } | undefined {
  const match = /^\s*([A-Za-z]+)(?:\s+(.*))?$/s.exec(header);
  if (match === null) return undefined;
  const parameters: Record<string, string> = {};
  for (const [, name = '', quoted, plain] of (match[2] ?? '').matchAll(
    /([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g,
  )) {
    parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
  }
  return { scheme: (match[1] ?? '').toLowerCase(), parameters };
}

/** Base64 "user:password" for the registry of an address, as `docker login` stores it. */
async function credentials(address: string): Promise<string | undefined> {
  const folder = process.env.DOCKER_CONFIG || join(homedir(), '.docker');
  const path = join(folder, 'config.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let auths: z.output<typeof dockerConfig>['auths'];
  try {
    auths = dockerConfig.parse(JSON.parse(text)).auths;
  } catch (cause) {
    throw new SextantError('input', `${path}: not a docker configuration`, {
      hint: 'mend it, or log in again with docker login',
      cause,
    });
  }
  const { host } = new URL(address);
  const keys = host === 'registry-1.docker.io' ? ['https://index.docker.io/v1/', 'docker.io'] : [host];
  for (const key of keys.flatMap((each) => [each, `https://${each}`, `https://${each}/v2/`])) {
    const auth = auths[key]?.auth;
    if (auth !== undefined && auth !== '') return auth;
  }
  return undefined;
}
