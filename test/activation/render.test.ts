import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { shellWord, shownAddress } from '../../src/activation/quoting.ts';
import { renderActivation } from '../../src/activation/render.ts';
import { storedUuid } from '../../src/activation/script-values.ts';
import type { ActivationInput } from '../../src/activation/types.ts';
import { SextantError } from '../../src/support/errors.ts';
import { run } from '../../src/support/subprocess.ts';
import { example, examples } from './example.ts';

interface Step {
  readonly files: readonly {
    readonly path: string;
    readonly permissions: number;
    readonly content: string;
  }[];
  readonly commands: readonly string[];
  readonly only_service_manager: string;
}
interface CloudConfig {
  readonly stages: { readonly initramfs: readonly Step[]; readonly network: readonly Step[] };
  readonly [block: string]: unknown;
}

const read = (text: string): CloudConfig => parse(text, { version: '1.1' });

function refusal(input: unknown): SextantError {
  try {
    renderActivation(input as ActivationInput);
  } catch (error) {
    if (error instanceof SextantError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

/** The part of the script that is the same in every file is recorded once, in single-node.yaml.golden. */
const withoutConstantPart = (text: string) =>
  text.replace(
    /^( *)folder="\$store[\s\S]*?^ *(?=commands:)/m,
    '$1(and so on, as in single-node.yaml)\n      ',
  );

// The ending keeps formatters of YAML away.
describe('golden files', () => {
  const folder = new URL('golden/', import.meta.url).pathname;
  test.each(Object.keys(examples))('%s is rendered as recorded', (name) => {
    const whole = renderActivation(examples[name] as ActivationInput);
    const text = name === 'single-node' ? whole : withoutConstantPart(whole);
    const file = join(folder, `${name}.yaml.golden`);
    if (process.env.UPDATE_GOLDEN === '1') {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, text);
    } else if (!existsSync(file)) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, text);
      throw new Error(`${file} was missing; it has been recorded: read it and run the tests again`);
    }
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});

describe('the text', () => {
  test('begins with the line Kairos looks for and has no line that ends in a space', () => {
    const text = renderActivation(example);
    expect(text.split('\n')[0]).toBe('#cloud-config');
    expect(text).not.toMatch(/[ \t]$/m);
  });

  test('has the block of the founding document for a single node', () => {
    expect(read(renderActivation(example)).k3s).toEqual({ enabled: true });
  });

  test('says how to choose when nothing says what the node is', () => {
    const text = renderActivation({ ...example, node: {} });
    expect(text).toContain('# k3s:\n#   enabled: true');
    expect(Object.keys(read(text))).toEqual(['stages']);
  });

  test('acts on systemd only, and speaks up elsewhere', () => {
    const { initramfs, network } = read(renderActivation(example)).stages;
    const managers = [...initramfs, ...network].map((step) => step.only_service_manager);
    expect(managers).toEqual(['systemd', 'systemd', 'systemd', 'openrc']);
  });

  test('keeps files to /run and to /etc where that is a tmpfs', () => {
    for (const input of Object.values(examples)) {
      const { files } = read(renderActivation(input)).stages.initramfs[0] as Step;
      for (const { path } of files) expect(path).toMatch(/^\/run\/|^\/etc\/(verity\.d|sextant)\//);
    }
  });

  test('has a drop-in that sorts after Kairos’ own', () => {
    const { files } = read(renderActivation(example)).stages.initramfs[0] as Step;
    const dropin = files.find(({ path }) => path.includes('systemd-sysext.service.d/'));
    expect(['kairos-uki.conf', 'kairos.conf', dropin?.path.split('/').at(-1)].sort().at(-1)).toBe(
      'zz-sextant.conf',
    );
    expect(dropin?.content).toContain('JobRunningTimeoutSec=120\n');
    expect(dropin?.content).toContain('TimeoutStartSec=120\n');
  });

  test('shows addresses without the secrets in them, and the script keeps them to root', () => {
    const url = 'https://user:secret@releases.example.net/x.raw?token=secret';
    const images = { amd64: { ...example.images.amd64, url } as never };
    const text = renderActivation({ ...example, images });
    expect(text.match(/secret/g)).toHaveLength(2);
    expect(text).toContain('from https://releases.example.net/x.raw\n');
    const { files } = read(text).stages.initramfs[0] as Step;
    expect(files.find(({ content }) => content.includes('secret'))?.permissions).toBe(0o700);
  });

  test('hands the proxy to Kubernetes too, unless the caller set one', () => {
    const proxy = { httpProxy: 'http://p.example.net:1', noProxy: '.svc' };
    const node = { k3s: { env: { NO_PROXY: 'mine' } } };
    expect(read(renderActivation({ ...example, proxy, node })).k3s).toEqual({
      enabled: true,
      env: { HTTP_PROXY: 'http://p.example.net:1', NO_PROXY: 'mine' },
    });
  });
});

describe('quoting', () => {
  const line = fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((text) => /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u.test(text));
  const nasty = fc.oneof(
    line,
    fc.constantFrom(
      '$(reboot)',
      '`reboot`',
      '"; reboot #',
      "'; reboot #",
      '# no comment',
      '{{ .Values.os }}',
      '{{{{',
      '}}',
      '- a: b',
      '&anchor *alias',
      '%s %n',
      'yes',
      'null',
      '~',
      '0o17',
      '017',
      '1_000',
      '2001-01-01',
      '1:30',
      '<<',
      '!!binary x',
      '\\',
      ' leading and trailing ',
      '',
    ),
  );

  test('every value of the node’s blocks is read back as it was given', () => {
    fc.assert(
      fc.property(fc.array(nasty, { maxLength: 4 }), nasty, nasty.filter(Boolean), (args, value, token) => {
        const node = { k3s: { enabled: false, args, env: { VALUE: value } }, p2p: { networkToken: token } };
        const read12 = parse(renderActivation({ ...example, node })) as CloudConfig;
        for (const result of [read(renderActivation({ ...example, node })), read12]) {
          expect(result.k3s).toEqual({
            enabled: false,
            ...(args.length === 0 ? {} : { args }),
            env: { VALUE: value },
          });
          expect(result.p2p).toEqual({ network_token: token });
        }
      }),
    );
  });

  test('a shell reads every word as it was given, and Go’s templates see nothing of it', async () => {
    const words = fc.sample(
      fc.oneof(
        nasty,
        fc.string().filter((text) => !text.includes('\0')),
      ),
      300,
    );
    const script = words.map((word) => `printf '%s\\0' ${shellWord(word)}`).join('\n');
    expect(script).not.toContain('{{');
    const { stdout } = await run('sh', ['-c', script]);
    expect(stdout.toString('utf8').split('\0').slice(0, -1)).toEqual(words);
  });

  test('no rendered file holds an opening of a Go template', () => {
    const proxy = { noProxy: '{{ .Values }} {{{' };
    const { files } = read(renderActivation({ ...example, proxy })).stages.initramfs[0] as Step;
    for (const { content } of files) expect(content).not.toContain('{{');
  });

  test('an address is shown without user, password and query', () => {
    expect(shownAddress('https://u:p@h.example:8443/a/b?q=1#f')).toBe('https://h.example:8443/a/b');
  });

  test('a UUID is stored as a GPT stores it', () => {
    expect(storedUuid('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')).toBe('28732ac11ff8d211ba4b00a0c93ec93b');
  });
});

describe('input that is wrong', () => {
  test('is refused with all problems at once, and without showing values', () => {
    const error = refusal({
      ...example,
      extensionName: '../x',
      images: { amd64: { url: 'ftp://x/y', fileName: '', sha256: 'no', size: 0, rootHash: 'F'.repeat(64) } },
      kubernetesVersion: '%H\n',
      mergeTimeoutSeconds: 0,
      node: { p2p: { networkToken: '' } },
      secret: 1,
    });
    expect(error.code).toBe('input');
    for (const path of [
      'extensionName',
      'images.amd64.url',
      'images.amd64.sha256',
      'images.amd64.size',
      'images.amd64.rootHash',
      'kubernetesVersion',
      'mergeTimeoutSeconds',
      'node.p2p.networkToken',
    ]) {
      expect(error.details).toContain(`${path}: `);
    }
    expect(error.details).not.toContain('ftp://');
  });

  test.each([
    ['two services', { node: { k3s: {}, k0s: {} } }, /one of k3s/],
    ['a line break in an argument', { node: { k3s: { args: ['a\nExecStart=/bin/x'] } } }, /one line/],
    ['a bad variable name', { node: { k3s: { env: { 'A B': 'x' } } } }, /environment variable|Invalid key/],
    ['no image', { images: {} }, /at least one architecture/],
    ['a certificate that is none', { caCertificatePem: 'x' }, /PEM/],
    ['an address with a space', { proxy: { httpProxy: 'http://a b' } }, /http or https/],
  ])('%s is refused', (_name, change, message) => {
    const error = refusal({ ...example, ...change });
    expect(`${error.message}\n${error.details ?? ''}`).toMatch(message);
  });

  test('of a PEM only the certificates are taken', () => {
    const text = renderActivation({
      ...(examples['proxy-and-ca'] as ActivationInput),
      caCertificatePem: `{{ comment }}\n${examples['proxy-and-ca']?.caCertificatePem}\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`,
    });
    expect(text).not.toMatch(/PRIVATE KEY|\{\{/);
    expect(text).toBe(renderActivation(examples['proxy-and-ca'] as ActivationInput));
  });
});
