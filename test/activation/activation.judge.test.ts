import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeFiles } from '../../src/activation/files.ts';
import { checkActivation } from '../../src/activation/input-check.ts';
import { renderActivation } from '../../src/activation/render.ts';
import type { ActivationInput } from '../../src/activation/types.ts';
import { cacheFolder } from '../../src/support/context.ts';
import { run } from '../../src/support/subprocess.ts';
import { example, examples } from './example.ts';
import { fakeImage, fakeNode, inputFor, nothingHalfWritten } from './fake-node.ts';
import { faultyServer } from './faulty-server.ts';

const missingHint = 'run `make tools`';
const judge = (name: string) => join(cacheFolder(), 'judges/go/bin', name);
const names = Object.keys(examples);

// What breaks a careless writer of shell, YAML or Go templates.
const nasty = [
  '$(reboot)',
  '`x`',
  `"'"; x #`,
  '# x',
  '{{ .Values.os }}',
  '{{',
  '1_000',
  'yes',
  '2001-01-01',
  '0o17',
  '\\n',
];
const nastyInput: ActivationInput = {
  ...example,
  proxy: { noProxy: nasty.join(',') },
  node: {
    k3s: { enabled: false, args: nasty, env: Object.fromEntries(nasty.map((text, at) => [`V${at}`, text])) },
    p2p: { networkToken: nasty.join('') },
  },
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-judge-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function rendered(input: ActivationInput): Promise<string> {
  const file = join(folder, 'activation.yaml');
  await writeFile(file, renderActivation(input));
  return file;
}

describe('yip 1.25.1', () => {
  const yip = async (...args: string[]) =>
    JSON.parse((await run(judge('yip-judge'), args, { missingHint })).stdout.toString('utf8'));

  test.each(names)('knows every key of %s', async (name) => {
    const read = await yip('check', await rendered(examples[name] as ActivationInput));
    expect(Object.keys(read.stages)).toEqual(['initramfs', 'network']);
    expect(read.stages.initramfs[0].Files).toHaveLength(
      nodeFiles(checkActivation(examples[name] as ActivationInput)).length,
    );
    // The step for a late arrival writes the same files.
    expect(read.stages.network[0].Files).toEqual(read.stages.initramfs[0].Files);
  });

  test.each([
    ...names.map((name) => [name, examples[name] as ActivationInput] as const),
    ['nasty values', nastyInput] as const,
  ])('writes the files of %s byte for byte, with their modes', async (_name, input) => {
    const file = await rendered(input);
    const root = join(folder, 'root');
    await mkdir(root);
    const commands = await yip('run', 'initramfs', root, file);
    expect(commands).toEqual(['/bin/sh /run/sextant/activate prepare']);
    for (const { path, mode, content } of nodeFiles(checkActivation(input))) {
      expect(await readFile(join(root, path), 'utf8')).toBe(content);
      const { stdout } = await run('stat', ['-c', '%a', join(root, path)]);
      expect(stdout.toString().trim()).toBe(mode.toString(8));
    }
  });

  test('reads the values of the node’s blocks as they were given', async () => {
    const { node } = await yip('check', await rendered(nastyInput));
    expect(node.k3s.args).toEqual(nasty);
    expect(Object.values(node.k3s.env)).toEqual(expect.arrayContaining(nasty));
    expect(node.p2p.network_token).toBe(nasty.join(''));
  });
});

describe('kairos-agent 2.31.4', () => {
  const validate = (file: string) =>
    run(judge('kairos-agent'), ['validate', file], { missingHint, okCodes: [0, 1] });
  const userData = 'users:\n  - name: kairos\n    passwd: kairos\n    groups:\n      - admin\n';

  test.each(names)('validates %s with a minimal user-data', async (name) => {
    const file = await rendered(examples[name] as ActivationInput);
    await writeFile(file, `${await readFile(file, 'utf8')}\n${userData}`);
    const { code, stdout, stderr } = await validate(file);
    expect(code, `${stdout}${stderr}`).toBe(0);
  });

  test('is a judge that can say no', async () => {
    const { code, stdout, stderr } = await validate(await rendered(example));
    expect(`${stdout}${stderr}`).toMatch(/missing properties: 'users'/);
    expect(code).toBe(1);
  });
});

describe('the script', () => {
  async function script(input: ActivationInput): Promise<string> {
    const file = join(folder, 'activate');
    const made = nodeFiles(checkActivation(input)).find(({ path }) => path.endsWith('/activate'));
    await writeFile(file, made?.content ?? '');
    return file;
  }

  test.each(['single-node', 'strict', 'strict-firmware', 'proxy-and-ca'])(
    'of %s is plain for shellcheck',
    async (name) => {
      const file = await script(examples[name] as ActivationInput);
      const { code, stdout } = await run('shellcheck', ['--shell=sh', file], {
        missingHint,
        okCodes: [0, 1],
      });
      expect(code, stdout.toString()).toBe(0);
    },
  );

  test.each([['dash'], ['bash', '--posix'], ['busybox', 'sh']])('is read by %s', async (...shell) => {
    const [program = '', ...args] = shell;
    for (const input of [nastyInput, ...Object.values(examples)]) {
      await run(program, [...args, '-n', await script(input)], { missingHint });
    }
  });

  test.each([
    ['bash', '--posix'],
    ['busybox', 'sh'],
  ])('does its work under %s, with busybox’ tools there', async (...shell) => {
    let tools = '/usr/bin:/bin';
    if (shell[0] === 'busybox') {
      const applets = join(folder, 'applets');
      await mkdir(applets);
      await run('busybox', ['--install', '-s', applets]);
      tools = `${applets}:${tools}`;
    }
    const image = fakeImage(1, false);
    const server = await faultyServer(image, ['web page', 'breaks', 'wrong byte', 'endless', 'good']);
    const node = await fakeNode(shell, tools);
    try {
      await node.activate(inputFor(image, server.url));
      const { code, said } = await node.command('run');
      expect(code, said).toBe(0);
      expect(said.match(/next try/g)).toHaveLength(4);
      await node.reboot();
      expect(await node.verified()).toBe(true);
      await nothingHalfWritten(node);
    } finally {
      await server.stop();
      await node.remove();
    }
  });

  test('is started by a unit that systemd understands, beside a drop-in that it understands', async () => {
    for (const { path, content } of nodeFiles(checkActivation(example))) {
      if (path.endsWith('/activate') || path.endsWith('.rules')) continue;
      const name = path.endsWith('.conf') ? 'systemd-sysext.service' : basename(path);
      // The drop-in alone lacks a command; with one it is a whole unit.
      const whole = path.endsWith('.conf') ? `${content}ExecStart=/bin/true\n` : content;
      await writeFile(join(folder, name), whole);
      const { stderr } = await run('systemd-analyze', ['verify', '--man=no', join(folder, name)], {
        missingHint,
        okCodes: [0, 1],
      });
      expect(stderr.toString()).not.toMatch(new RegExp(`${name}:\\d+`));
    }
  });

  test('downloads from a server of a private certificate authority only when it is given', async () => {
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    await run(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-keyout',
        key,
        '-out',
        certificate,
        ...subject,
      ],
      { missingHint },
    );
    const image = fakeImage(1, false);
    const pem = await readFile(certificate, 'utf8');
    const server = createServer({ key: await readFile(key), cert: pem }, (_request, response) =>
      response.end(image),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/x.raw`;
    const node = await fakeNode();
    try {
      await node.activate(inputFor(image, url));
      expect((await node.command('once')).code).toBe(1);
      expect(await readdir(join(node.paths.store, 'active')).catch(() => [])).toEqual([]);
      await node.activate(inputFor(image, url, { caCertificatePem: pem }));
      await writeFile(join(node.paths.runtime, 'ca.pem'), pem);
      const { code, said } = await node.command('run');
      expect(code, said).toBe(0);
    } finally {
      server.close();
      await node.remove();
    }
  });
});
