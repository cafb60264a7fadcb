import { execFileSync } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { verifyImage } from '../../../src/image/index.ts';
import { createKey, type KeyFiles } from '../../../src/release/keys/create.ts';
import { openSigner } from '../../../src/release/keys/signer.ts';
import { silent } from '../../../src/support/progress.ts';
import { shellText } from '../../../src/support/subprocess.ts';
import { dataBlocks, seal } from '../../image/fixture.ts';
import { inToolsRoot, toolsRoot } from '../../tools-root.ts';

// SoftHSM as the token, Debian trixie's openssl with its pkcs11 provider (make tools), entered as root. The key is made outside, so that what the
// token signs can be held against what Node signs with it.
const work = mkdtempSync(join(toolsRoot, 'mnt', 'pkcs11-'));
const inside = (path: string) => path.slice(toolsRoot.length);
const URI = 'pkcs11:token=sextant;object=release;type=private';
const PIN = '271828';
const context = { cache: work, progress: silent, signal: new AbortController().signal };
let made: KeyFiles;

const environment = () => {
  vi.stubEnv('PATH', `${join(work, 'bin')}:${process.env.PATH}`);
  vi.stubEnv('SOFTHSM2_CONF', inside(join(work, 'softhsm2.conf')));
  vi.stubEnv('OPENSSL_CONF', inside(join(work, 'openssl.cnf')));
};

beforeAll(async () => {
  mkdirSync(join(work, 'tokens'));
  mkdirSync(join(work, 'bin'));
  writeFileSync(
    join(work, 'softhsm2.conf'),
    `directories.tokendir = ${inside(work)}/tokens\nobjectstore.backend = file\n`,
  );
  writeFileSync(
    join(work, 'openssl.cnf'),
    `openssl_conf = init
[init]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
pkcs11-module-path = /usr/lib/softhsm/libsofthsm2.so
# SoftHSM itself uses openssl: unloaded at the end of the program it would fall.
pkcs11-module-quirks = no-deinit
activate = 1
`,
  );
  // `openssl` on the PATH of this test is the one in that root.
  const [command, words] = inToolsRoot('openssl', []);
  writeFileSync(
    join(work, 'bin', 'openssl'),
    `#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\nexec ${shellText(command, words)} "$@"\n`,
    { mode: 0o755 },
  );
  const pair = await createKey({
    name: join(work, 'outside'),
    commonName: 'x',
    bits: 2048,
    days: 2,
    encrypt: false,
  });
  environment();
  const tool = (name: string, ...args: string[]) => {
    const [program, all] = inToolsRoot(name, args);
    execFileSync(program, all, { stdio: 'pipe', env: { ...process.env, OPENSSL_CONF: '' } });
  };
  tool('softhsm2-util', '--init-token', '--free', '--label', 'sextant', '--pin', PIN, '--so-pin', '314159');
  tool(
    'softhsm2-util',
    '--import',
    inside(pair.key),
    '--token',
    'sextant',
    '--label',
    'release',
    '--id',
    '01',
    '--pin',
    PIN,
  );
  vi.stubEnv('SEXTANT_KEY_PASSPHRASE', PIN);
  made = await createKey({
    name: join(work, 'token'),
    key: URI,
    commonName: 'In a token',
    bits: 2048,
    days: 2,
    encrypt: false,
  });
  vi.unstubAllEnvs();
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

test('a key in a token signs as the same key in a file does, and its certificate is its own', async () => {
  environment();
  writeFileSync(join(work, 'pin'), `${PIN}\n`, { mode: 0o600 });
  vi.stubEnv('SEXTANT_KEY_PASSPHRASE_FILE', join(work, 'pin'));
  expect(made.x509.subject).toBe('CN=In a token');
  expect(made.x509.verify(made.x509.publicKey)).toBe(true);
  const signer = await openSigner({ key: URI, certificate: made.certificate });
  const bytes = Buffer.from('what is signed');
  const file = createPrivateKey(readFileSync(join(work, 'outside.key')));
  expect((await signer.sign(bytes)).equals(sign('sha256', bytes, file))).toBe(true);
});

test('it signs an image that verifies by its certificate', async () => {
  environment();
  vi.stubEnv('SEXTANT_KEY_PASSPHRASE', PIN);
  const image = join(work, 'x.raw');
  await seal(image, dataBlocks(4), context, { key: URI, certificate: made.certificate });
  await expect(verifyImage(image, { certificates: [made.x509] })).resolves.toBeDefined();
});

test.each([
  ['with a wrong PIN', URI, '1111', 'there is no such key in the token, or the PIN is wrong'],
  ['without a PIN', URI, undefined, 'the token wants a PIN'],
  ['that is not there', 'pkcs11:token=sextant;object=none', PIN, 'there is no such key in the token'],
])('a key %s is one line that names it and not the PIN', async (_, key, pin, why) => {
  environment();
  vi.stubEnv('SEXTANT_KEY_PASSPHRASE', pin);
  const error = await openSigner({ key, certificate: made.certificate }).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({
    code: 'tool',
    message: expect.stringContaining(`${key}: openssl cannot use this key: ${why}`),
  });
  expect(JSON.stringify(error) + String((error as { details?: string }).details)).not.toContain(pin ?? PIN);
});

test('an openssl without the provider is told as that', async () => {
  environment();
  vi.stubEnv('OPENSSL_CONF', '');
  vi.stubEnv('OPENSSL_MODULES', '/nowhere');
  vi.stubEnv('SEXTANT_KEY_PASSPHRASE', PIN);
  await expect(openSigner({ key: URI, certificate: made.certificate })).rejects.toMatchObject({
    code: 'tool',
    message: expect.stringContaining('it has no pkcs11 provider'),
    hint: expect.stringContaining('apt-get install -y pkcs11-provider'),
  });
});
