import { basename } from 'node:path';
import { createKey, type KeyFiles, type KeyRequest } from '../../release/keys/create.ts';
import { rotateKey } from '../../release/keys/rotate.ts';
import { describeKey, type KeyDescription } from '../../release/keys/show.ts';
import { writeTrustedBootFiles } from '../../release/keys/trusted-boot.ts';
import { commandName } from '../name.ts';
import { table } from '../print.ts';

interface CreateOptions {
  readonly commonName?: string;
  readonly bits?: string;
  readonly days: number;
  readonly encrypt?: boolean;
  readonly key?: string;
}

/** Makes a key with its certificate. */
export async function create(name: string, options: CreateOptions): Promise<void> {
  const made = await createKey({
    ...request(options),
    name,
    commonName: options.commonName ?? basename(name),
    bits: (options.bits === undefined ? 4096 : Number(options.bits)) as KeyRequest['bits'],
  });
  process.stdout.write(
    [
      ...files(made),
      '',
      'In the recipe, paths relative to it:',
      signing(made.key, made.certificate),
      'Keep the private key away from the repository; nodes and people need the certificate alone.',
      '',
    ].join('\n'),
  );
}

/** Makes the next key and prints the steps of the overlap. */
export async function rotate(
  certificate: string,
  options: CreateOptions & { readonly to?: string },
): Promise<void> {
  const { next } = await rotateKey(certificate, {
    ...request(options),
    ...(options.to === undefined ? {} : { name: options.to }),
    ...(options.commonName === undefined ? {} : { commonName: options.commonName }),
    ...(options.bits === undefined ? {} : { bits: Number(options.bits) as KeyRequest['bits'] }),
  });
  process.stdout.write(
    [
      ...files(next),
      '',
      '1. Nodes come to trust both. Go on signing with the key in use, build, and bring its activation (--strict) to every node:',
      signing('KEY IN USE', certificate, next.certificate),
      '2. When every node has it, sign with the new key:',
      signing(next.key, next.certificate, certificate),
      '3. When no node needs a release of the old key any more, not even to fall back to, take alsoTrust away, build, and bring that',
      '   activation to the nodes. They refuse the old key from then on; systemd does not look at a certificate\u2019s dates.',
      `A catalog that the key signs goes with it: both certificates in catalog.trust of the nodes' settings, then`,
      `   ${commandName()} catalog sign CATALOG --key ${next.key} --trust ${certificate}`,
      `   and at the end the new certificate alone.`,
      `What a key signed: ${commandName()} key show ${certificate} --release dist`,
      '',
    ].join('\n'),
  );
}

/** Prints what a key is, and what it signed. */
export async function show(
  certificate: string,
  options: { readonly release?: string; readonly trustedBoot?: string; readonly json?: boolean },
): Promise<void> {
  const described = await describeKey(
    certificate,
    options.release === undefined ? {} : { release: options.release },
  );
  const written =
    options.trustedBoot === undefined
      ? undefined
      : await writeTrustedBootFiles(described.certificate, options.trustedBoot);
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ ...described, ...(written ? { trustedBoot: written } : {}) })}\n`,
    );
    return;
  }
  const sections = [description(described)];
  if (described.signed !== undefined) {
    const by = { this: 'signed by this key', another: 'signed by another key', nobody: 'not signed' };
    const rows = described.signed.map((entry) => [`  ${entry.file}`, by[entry.by]]);
    sections.push(`In ${options.release} (\`${commandName()} verify\` checks it):\n${table(rows)}`);
  }
  if (written !== undefined) {
    const rows = written.map(({ path, purpose }) => [`  ${path}`, purpose]);
    sections.push(`For trusted boot (docs/trust.md):\n${table(rows)}`);
  }
  process.stdout.write(`${sections.join('\n\n')}\n`);
}

function description(key: KeyDescription): string {
  const day = (date: string) => date.slice(0, 10);
  const rows = [
    ['Certificate', key.certificate],
    ['Subject', key.subject],
    ['Fingerprint', `${key.fingerprint} (SHA-256)`],
    ['Public key', `RSA, ${key.bits} bits, ${key.keyId} (SHA-256)`],
    ['Dates', `${day(key.notBefore)} to ${day(key.notAfter)}, ${key.dates} (systemd does not look at them)`],
  ];
  const { keyFile } = key;
  if (keyFile !== undefined) {
    rows.push([
      'Private key',
      `${keyFile.path}, mode ${keyFile.mode}${keyFile.secret ? '' : ': others can read it, it is refused for signing'}`,
    ]);
  }
  return table(rows);
}

function request({ days, encrypt = false, key }: CreateOptions) {
  return { days, encrypt, ...(key === undefined ? {} : { key }) };
}

function files({ key, certificate, publicKey, x509 }: KeyFiles): string[] {
  return [
    table([
      ['private key', key],
      ['certificate', certificate],
      ['public key', publicKey],
    ]),
    `fingerprint ${x509.fingerprint256.replaceAll(':', '').toLowerCase()}`,
  ];
}

function signing(key: string, certificate: string, ...alsoTrust: readonly string[]): string {
  const lines = [
    '  signing:',
    `    key: ${JSON.stringify(key)}`,
    `    certificate: ${JSON.stringify(certificate)}`,
  ];
  if (alsoTrust.length > 0) lines.push(`    alsoTrust: ${JSON.stringify(alsoTrust)}`);
  return lines.join('\n');
}
