import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { registryCredentials } from '../../../src/support/registry/credentials.ts';
import { answerChallenge, tokenIn } from '../../../src/support/registry/token.ts';
import { errorOf } from '../../sources/context.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-credentials-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const environment = () => ({ DOCKER_CONFIG: folder, PATH: `${folder}:/usr/bin:/bin` });
const config = (value: unknown) =>
  writeFileSync(join(folder, 'config.json'), typeof value === 'string' ? value : JSON.stringify(value));
const base64 = (text: string) => Buffer.from(text).toString('base64');
const found = (registry = 'r.example', repository = 'team/app') =>
  registryCredentials(registry, repository, environment());
/** A docker-credential-NAME in the PATH. */
function helper(name: string, script: string): void {
  const path = join(folder, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

describe('the login for a registry', () => {
  test('is in auths, under any of the names that docker gives it', async () => {
    for (const key of ['r.example', 'https://r.example', 'https://r.example/v1/', 'https://r.example/v2/']) {
      config({ auths: { [key]: { auth: base64('me:pa:ss') } } });
      expect(await found()).toEqual({ kind: 'password', username: 'me', password: 'pa:ss' });
    }
    config({ auths: { 'https://index.docker.io/v1/': { username: 'me', password: 'p' } } });
    expect(await found('docker.io')).toMatchObject({ username: 'me' });
  });

  test('is the most specific one', async () => {
    config({
      auths: { 'r.example': { auth: base64('all:1') }, 'r.example/team': { auth: base64('team:2') } },
    });
    expect(await found()).toMatchObject({ username: 'team' });
    expect(await found('r.example', 'teammate/app')).toMatchObject({ username: 'all' });
  });

  test('comes from the helper of the host before the store, and from that before auths', async () => {
    helper(
      'one',
      `read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"one-$server\\",\\"Secret\\":\\"s\\"}"`,
    );
    helper(
      'store',
      `read server; [ "$server" = r.example ] || { echo 'credentials not found in native keychain'; exit 1; }
echo '{"Username":"<token>","Secret":"refresh"}'`,
    );
    config({
      credHelpers: { 'r.example': 'one' },
      credsStore: 'store',
      auths: { 'other.example': { auth: base64('me:p') } },
    });
    expect(await found()).toEqual({ kind: 'password', username: 'one-r.example', password: 's' });
    expect(await found('other.example')).toMatchObject({ username: 'me' });
    config({ credsStore: 'store' });
    expect(await found()).toEqual({ kind: 'refresh-token', token: 'refresh' });
  });

  test('is none where there is no file, or nothing for the host', async () => {
    expect(await found()).toBeUndefined();
    config({ auths: { 'r.example.evil': { auth: base64('me:p') } } });
    expect(await found()).toBeUndefined();
  });

  test("may be in podman's file", async () => {
    mkdirSync(join(folder, 'run/containers'), { recursive: true });
    writeFileSync(
      join(folder, 'run/containers/auth.json'),
      JSON.stringify({ auths: { 'r.example': { auth: base64('pod:p') } } }),
    );
    expect(
      await registryCredentials('r.example', 'x', { ...environment(), XDG_RUNTIME_DIR: join(folder, 'run') }),
    ).toMatchObject({ username: 'pod' });
  });
});

describe('what is wrong is said without the secret', () => {
  test.each([
    ['not JSON', '{"auths": {"r.example": {"auth": "c2VjcmV0"', 'not a docker configuration'],
    ['another shape', { auths: ['secret'] }, 'not a docker configuration'],
    ['no pair', { auths: { 'r.example': { auth: 'c2VjcmV0' } } }, 'is not base64 of USER:PASSWORD'],
    ['a helper with a path', { credHelpers: { 'r.example': '../secret' } }, 'as credential helper'],
  ])('%s', async (_, value, message) => {
    config(value);
    const error = await errorOf(found());
    expect(error.code).toBe('input');
    expect(error.message).toContain(message);
    expect(`${error.message}${error.cause}`).not.toContain('c2VjcmV0');
  });

  test('a helper that is missing, fails or talks nonsense', async () => {
    config({ credsStore: 'none' });
    expect((await errorOf(found())).message).toContain('docker-credential-none: program not found');
    for (const [script, said] of [
      ['echo secret; exit 3', 'ended with 3'],
      ['echo secret', 'its answer is not understood'],
      ['kill -9 $$', 'was ended by SIGKILL'],
    ]) {
      helper('bad', script ?? '');
      config({ credsStore: 'bad' });
      const error = await errorOf(found());
      expect(error).toMatchObject({ code: 'tool' });
      expect(error.message).toContain(said);
      expect(error.message).not.toContain('secret');
    }
  });
});

describe('a challenge', () => {
  const about = {
    address: 'https://r.example/v2/a',
    text: 'r.example/a',
    scopes: ['repository:a:pull,push'],
  };
  const bearer = (realm: string) => ({ scheme: 'bearer', parameters: { realm, service: 's' } });

  test('is never answered unencrypted to an encrypted registry', () => {
    expect(() => answerChallenge(bearer('http://auth.example/t'), undefined, about)).toThrow('unencrypted');
  });

  test.each([undefined, { scheme: 'negotiate', parameters: {} }, bearer('not an address')])(
    'of no known kind is said: %j',
    (challenge) => {
      expect(() => answerChallenge(challenge, undefined, about)).toThrow('in a way that is not supported');
    },
  );

  test('Basic without a login cannot be answered', () => {
    expect(answerChallenge({ scheme: 'basic', parameters: {} }, undefined, about)).toBeUndefined();
  });

  test('an answer without a token is an error, one that says no time holds a minute', () => {
    expect(() => tokenIn({ errors: [] }, 'https://u:p@auth.example/t', 'h')).toThrow(
      'https://***@auth.example/t: the answer holds no token',
    );
    expect(tokenIn({ access_token: 't' }, 'https://a', 'h')).toEqual({ header: 'Bearer t', seconds: 60 });
  });
});
