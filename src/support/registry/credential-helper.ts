import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { SextantError } from '../errors.ts';
import { jsonOrUndefined } from '../json.ts';

/** What a person may show a registry: a password, or a token that other tokens are given for (OAuth 2's refresh token). */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'refresh-token'; readonly token: string }
  | { readonly kind: 'bearer'; readonly token: string };

// The protocol of docker-credential-helpers: `docker-credential-NAME get`, the server's name on stdin, JSON on stdout.
// https://github.com/docker/docker-credential-helpers#development
const answer = z.object({ Username: z.string(), Secret: z.string() });
const LIMIT_MS = 30_000;

/**
 * Asks a credential helper for the login of a server; undefined when it knows none. It runs with the person's own environment (keychains and
 * clouds need it), and what it says is never repeated: it may be the secret. Throws `tool` when it is missing, fails or takes too long.
 */
export async function askHelper(
  name: string,
  server: string,
  environment: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) {
    throw new SextantError('input', `the docker configuration names "${name}" as credential helper`, {
      hint: 'a helper is named without "docker-credential-" and without a path',
    });
  }
  const child = spawn(program, ['get'], { env: environment, stdio: ['pipe', 'pipe', 'ignore'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  child.stdin.on('error', () => {}); // A helper that does not read says why by its exit code.
  child.stdin.end(`${server}\n`);
  try {
    const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(code ?? signal));
    });
    const [said, code] = await Promise.all([text(child.stdout), ended]);
    if (code !== 0 && /credentials not found/i.test(said)) return undefined;
    const parsed = code === 0 ? answer.safeParse(jsonOrUndefined(said)) : undefined;
    if (parsed?.success !== true) {
      const how = typeof code === 'string' ? `was ended by ${code}` : `ended with ${code}`;
      throw new SextantError(
        'tool',
        `${program}: gives no login for ${server} (${code === 0 ? 'its answer is not understood' : how})`,
        { hint: `see yourself: echo ${server} | ${program} get` },
      );
    }
    const { Username: username, Secret: secret } = parsed.data;
    if (secret === '') return undefined;
    // https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
    return username === '<token>'
      ? { kind: 'refresh-token', token: secret }
      : { kind: 'password', username, password: secret };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new SextantError('tool', `${program}: program not found; the docker configuration names it`, {
      hint: 'install it, or log in without it: docker login',
    });
  } finally {
    clearTimeout(timer);
  }
}
