import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createKey, type KeyRequest } from '../../../src/release/keys/create.ts';
import { rotateKey } from '../../../src/release/keys/rotate.ts';
import { passphrase } from '../../../src/release/keys/secret.ts';
import { describeKey } from '../../../src/release/keys/show.ts';
import { openSigner } from '../../../src/release/keys/signer.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'sextant-keys-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(work, { recursive: true, force: true });
});

const create = (name: string, over: Partial<KeyRequest> = {}) =>
  createKey({
    name: join(work, name),
    commonName: 'Edge releases',
    bits: 2048,
    days: 30,
    encrypt: false,
    ...over,
  });
const mode = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe('a new key', () => {
  test.each([0o000, 0o077])(
    'is its owner’s alone, its certificate everyone’s, whatever the umask (%o)',
    async (mask) => {
      const before = process.umask(mask);
      const made = await create('release').finally(() => process.umask(before));
      expect(readdirSync(work).sort()).toEqual(['release.crt', 'release.key', 'release.pub']);
      expect([made.key, made.certificate, made.publicKey].map(mode)).toEqual(['600', '644', '644']);
    },
  );

  test('has a certificate that may sign code and nothing else, for as long as asked', async () => {
    const now = new Date('2026-05-05T05:05:05Z');
    const { x509, key, certificate } = await create('release', { now });
    expect(x509.subject).toBe('CN=Edge releases');
    expect(x509.issuer).toBe(x509.subject);
    expect(x509.ca).toBe(false);
    expect(x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.3']);
    expect(new Date(x509.validTo).getTime() - new Date(x509.validFrom).getTime()).toBe(30 * 86_400_000);
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(x509.checkPrivateKey(createPrivateKey(readFileSync(key)))).toBe(true);
    expect(new X509Certificate(readFileSync(certificate)).fingerprint256).toBe(x509.fingerprint256);
  });

  test.each(['release.key', 'release.crt', 'release.pub'])(
    'never takes the place of a %s that is there',
    async (there) => {
      writeFileSync(join(work, there), 'mine');
      await expect(create('release')).rejects.toMatchObject({
        code: 'filesystem',
        message: `${join(work, there)}: is there already, keys are never overwritten`,
      });
      expect(readdirSync(work)).toEqual([there]);
      expect(readFileSync(join(work, there), 'utf8')).toBe('mine');
    },
  );

  test.each([
    ['a name with a line break', { commonName: 'a\nb' }],
    ['a name that is too long', { commonName: 'x'.repeat(65) }],
    ['no days', { days: 0 }],
    ['days that are no number', { days: Number.NaN }],
    ['a key file where a token is meant', { key: 'other.key' }],
    ['a pass phrase that is not there', { encrypt: true }],
  ])('is refused for %s', async (_, over) => {
    await expect(create('release', over)).rejects.toMatchObject({ code: 'usage' });
    expect(readdirSync(work)).toEqual([]);
  });
});

describe('a key with a pass phrase', () => {
  const phrase = 'correct horse';
  test('opens with the pass phrase of the environment, or of a file', async () => {
    vi.stubEnv('SEXTANT_KEY_PASSPHRASE', phrase);
    const made = await create('release', { encrypt: true });
    expect(readFileSync(made.key, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    await expect(openSigner(made)).resolves.toBeDefined();
    vi.stubEnv('SEXTANT_KEY_PASSPHRASE', undefined);
    writeFileSync(join(work, 'phrase'), `${phrase}\n`, { mode: 0o600 });
    vi.stubEnv('SEXTANT_KEY_PASSPHRASE_FILE', join(work, 'phrase'));
    await expect(openSigner(made)).resolves.toBeDefined();
  });

  test('without it, or with another, is one line that does not say it', async () => {
    vi.stubEnv('SEXTANT_KEY_PASSPHRASE', phrase);
    const made = await create('release', { encrypt: true });
    vi.stubEnv('SEXTANT_KEY_PASSPHRASE', undefined);
    await expect(openSigner(made)).rejects.toMatchObject({
      code: 'input',
      message: `${made.key}: is encrypted, and no pass phrase was given`,
      hint: expect.stringContaining('SEXTANT_KEY_PASSPHRASE_FILE'),
    });
    vi.stubEnv('SEXTANT_KEY_PASSPHRASE', 'wrong battery');
    const error = await openSigner(made).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'input', message: `${made.key}: the pass phrase does not open it` });
    expect(JSON.stringify(error)).not.toContain('battery');
  });

  test('in a file that others can read is refused, and so are two at once and an empty one', async () => {
    const file = join(work, 'phrase');
    writeFileSync(file, phrase, { mode: 0o644 });
    await expect(passphrase({ SEXTANT_KEY_PASSPHRASE_FILE: file })).rejects.toMatchObject({
      code: 'input',
      message: `${file}: others can read or write it (mode 0644), it is a secret`,
    });
    await expect(
      passphrase({ SEXTANT_KEY_PASSPHRASE_FILE: file, SEXTANT_KEY_PASSPHRASE: phrase }),
    ).rejects.toMatchObject({ code: 'usage' });
    writeFileSync(file, '\n');
    chmodSync(file, 0o600);
    await expect(passphrase({ SEXTANT_KEY_PASSPHRASE_FILE: file })).rejects.toMatchObject({
      message: expect.stringContaining('is empty'),
    });
    expect(await passphrase({})).toBeUndefined();
  });
});

describe('a key to sign with', () => {
  test.each([0o640, 0o604, 0o602])('is refused when others have rights on it (%o)', async (bits) => {
    const made = await create('release');
    chmodSync(made.key, bits);
    await expect(openSigner(made)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(
        `${made.key}: others can read or write it (mode 0${bits.toString(8)})`,
      ),
      hint: expect.stringContaining('chmod 600'),
    });
  });

  test('belongs to its certificate', async () => {
    const [a, b] = [await create('a'), await create('b')];
    await expect(openSigner({ key: a.key, certificate: b.certificate })).rejects.toMatchObject({
      code: 'input',
      message: `${a.key}: is not the key of ${b.certificate}`,
    });
  });

  test('is RSA of a size that is safe, and a key', async () => {
    const { certificate } = await create('release');
    const { generateKeyPairSync } = await import('node:crypto');
    const keys = {
      ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
      small: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
    };
    const said: string[] = [];
    for (const [name, content] of Object.entries({
      ...Object.fromEntries(
        Object.entries(keys).map(([name, key]) => [name, key.export({ type: 'pkcs8', format: 'pem' })]),
      ),
      text: 'no key',
      certificate: readFileSync(certificate),
    })) {
      const key = join(work, name);
      writeFileSync(key, content, { mode: 0o600 });
      const error = await openSigner({ key, certificate }).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: 'input' });
      said.push((error as Error).message.slice(work.length + 1));
    }
    expect(said).toEqual([
      'ec: is an ec key, RSA of 2048 bits or more is needed',
      'small: has 1024 bits, RSA of 2048 bits or more is needed',
      'text: no PEM private key',
      'certificate: is a certificate, a private key is needed',
    ]);
  });

  test('in a token is not given with its PIN in the address', async () => {
    const { certificate } = await create('release');
    const error = await openSigner({ key: 'pkcs11:token=x;object=y?pin-value=1234', certificate }).catch(
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('SEXTANT_KEY_PASSPHRASE') });
    expect(JSON.stringify(error)).not.toContain('1234');
  });
});

describe('the next key', () => {
  test('takes name and size of the one in use, and the next free number', async () => {
    const first = await create('release');
    const { next } = await rotateKey(first.certificate, { days: 30, encrypt: false });
    expect(next.key).toBe(join(work, 'release-2.key'));
    expect(next.x509.subject).toBe('CN=Edge releases');
    expect(next.x509.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(next.x509.fingerprint256).not.toBe(first.x509.fingerprint256);
    const third = await rotateKey(next.certificate, { days: 30, encrypt: false });
    expect(third.next.certificate).toBe(join(work, 'release-3.crt'));
    expect(readFileSync(first.certificate, 'utf8')).toBe(first.x509.toString());
  });
});

describe('what is shown of a key', () => {
  test('is what openssl says of its certificate, whether its file is a secret, and whether its dates are past', async () => {
    const made = await create('release');
    const { execFileSync } = await import('node:child_process');
    const said = execFileSync(
      'openssl',
      ['x509', '-in', made.certificate, '-noout', '-fingerprint', '-sha256'],
      {
        encoding: 'utf8',
      },
    );
    const shown = await describeKey(made.certificate);
    expect(said.trim().split('=')[1]?.replaceAll(':', '').toLowerCase()).toBe(shown.fingerprint);
    expect(shown).toMatchObject({
      subject: 'CN=Edge releases',
      bits: 2048,
      dates: 'valid',
      keyFile: { path: made.key, mode: '0600', secret: true },
    });
    chmodSync(made.key, 0o644);
    const later = await describeKey(made.key, { now: new Date(Date.now() + 40 * 86_400_000) });
    expect(later).toMatchObject({ dates: 'expired', keyFile: { mode: '0644', secret: false } });
    const before = await describeKey(made.certificate, { now: new Date(0) });
    expect(before.dates).toBe('not yet valid');
  });
});
