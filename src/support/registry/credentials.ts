import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { SextantError } from '../errors.ts';
import { askHelper, type Credentials } from './credential-helper.ts';

const login = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
const dockerConfig = z.object({
  auths: z.record(z.string(), login).default({}),
  credHelpers: z.record(z.string(), z.string()).default({}),
  credsStore: z.string().optional(),
});

/** docker's file; without one, podman's (containers-auth.json(5)). */
function configFiles(environment: NodeJS.ProcessEnv): string[] {
  const runtime = environment.XDG_RUNTIME_DIR;
  return [
    join(environment.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json'),
    ...(environment.REGISTRY_AUTH_FILE ? [environment.REGISTRY_AUTH_FILE] : []),
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
  ];
}

/**
 * The login for a repository as `docker login` keeps it: `credHelpers` for the host first, then `credsStore`, then `auths`; undefined where
 * there is none. Throws `input` for a file that is not a docker configuration, `tool` for a helper that is missing or fails.
 * https://docs.docker.com/reference/cli/docker/login/#credential-stores
 */
export async function registryCredentials(
  registry: string,
  repository: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Credentials | undefined> {
  const isHub = registry === 'docker.io' || registry === 'registry-1.docker.io';
  const hosts = isHub ? ['https://index.docker.io/v1/', 'docker.io'] : [registry];
  for (const path of configFiles(environment)) {
    const config = await readConfig(path);
    if (config === undefined) continue;
    for (const host of hosts) {
      const helper = config.credHelpers[host];
      const found = helper === undefined ? undefined : await askHelper(helper, host, environment);
      if (found !== undefined) return found;
    }
    for (const host of config.credsStore ? hosts : []) {
      const found = await askHelper(config.credsStore ?? '', host, environment);
      if (found !== undefined) return found;
    }
    for (const key of keys(hosts, repository)) {
      const found = fromEntry(config.auths[key] ?? {}, path, key);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Keys of `auths`, the most specific first: podman's may name a part of the repository's path. */
function keys(hosts: readonly string[], repository: string): string[] {
  const parts = repository.split('/');
  const paths = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
  return hosts.flatMap((host) => [
    ...paths.map((path) => `${host}/${path}`),
    ...[host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`],
  ]);
}

async function readConfig(path: string): Promise<z.output<typeof dockerConfig> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    return dockerConfig.parse(JSON.parse(text));
  } catch {
    // Without its cause: a parser's message may quote the file, and the file holds passwords.
    throw new SextantError('input', `${path}: not a docker configuration`, {
      hint: 'mend it, or log in again with docker login',
    });
  }
}

function fromEntry(entry: z.output<typeof login>, path: string, key: string): Credentials | undefined {
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken };
  if (entry.identitytoken) return { kind: 'refresh-token', token: entry.identitytoken };
  if (entry.username && entry.password)
    return { kind: 'password', username: entry.username, password: entry.password };
  if (!entry.auth) return undefined;
  const pair = Buffer.from(entry.auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = pair.indexOf(':');
  if (colon < 1) {
    throw new SextantError('input', `${path}: the login of ${key} is not base64 of USER:PASSWORD`, {
      hint: `log in again: docker login ${key}`,
    });
  }
  return { kind: 'password', username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
