import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { runHook } from '../../src/hook/index.ts';
import { answersFrom, buildPlugin, hookRequest } from './hooks.ts';
import { makeRoot } from './root.ts';

// Real namespaces, a real overlay, and a provider of our own that speaks the plug-in protocol and does what each test says.

let setup: { root: string; plugin: string };
let served: string;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-hooks-'));
  setup = {
    root: await makeRoot(join(folder, 'root')),
    plugin: await buildPlugin(join(folder, 'agent-provider-test'), 'amd64'),
  };
  served = join(folder, 'served');
  await writeFile(served, 'served bytes');
});

const answered = () =>
  answersFrom({ 'https://example.org/file': served, 'http://example.org/plain': served });

test('what the hook writes is the upper layer, with its modes, and its version is reported', async () => {
  const request = await hookRequest(setup, {
    shell:
      'echo program > /usr/bin/k3s && chmod 755 /usr/bin/k3s && echo secret > /etc/systemd/system/k3s.service.env && chmod 600 /etc/systemd/system/k3s.service.env',
  });
  const { upper, version, removed, urls } = await runHook(request);
  expect(version).toBe('v1.36.3+k3s1');
  expect({ removed, urls }).toEqual({ removed: [], urls: [] });
  expect(readFileSync(join(upper, 'usr/bin/k3s'), 'utf8')).toBe('program\n');
  expect(statSync(join(upper, 'usr/bin/k3s')).mode & 0o777).toBe(0o755);
  expect(statSync(join(upper, 'etc/systemd/system/k3s.service.env')).mode & 0o777).toBe(0o600);
  expect(existsSync(join(setup.root, 'usr/bin/k3s'))).toBe(false);
});

test.each([
  ['curl', { shell: 'curl -sfL https://example.org/file -o /usr/bin/fetched' }],
  ['wget', { shell: 'wget -q https://example.org/file -O /usr/bin/fetched' }],
  ['a Go program', { get: 'https://example.org/file' }],
])('%s gets the bytes of the lock through the proxy', async (_name, behaviour) => {
  const { upper, urls } = await runHook(await hookRequest(setup, behaviour, { answer: answered() }));
  expect(readFileSync(join(upper, 'usr/bin/fetched'), 'utf8')).toBe('served bytes');
  expect(urls).toEqual(['https://example.org/file']);
});

test('an address that the lock does not hold fails the build by name, also when the hook carries on without it', async () => {
  const request = await hookRequest(
    setup,
    { shell: 'curl -sf https://example.org/other || true' },
    { answer: answered() },
  );
  await expect(runHook(request)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining('the hook asked for https://example.org/other'),
  });
  expect(readFileSync(request.logFile, 'utf8')).toContain('https://example.org/other');
});

test('there is no network but the proxy', async () => {
  const request = await hookRequest(setup, {
    dial: '10.0.0.1:80',
    shell: 'curl --noproxy "*" -s -m 3 http://10.0.0.1/ ; echo ended $?',
  });
  await runHook(request);
  const log = readFileSync(request.logFile, 'utf8');
  expect(log).toMatch(/network is unreachable/);
  expect(log).not.toContain('ended 0');
});

test('a hook that fails, ends badly or answers nonsense is a tool error with what it said', async () => {
  for (const [behaviour, said] of [
    [{ fail: 'no such version' }, 'no such version'],
    [{ exit: 7 }, 'exit code 7'],
    [{ garbage: 'not an answer' }, 'init.provider.install'],
  ] as const) {
    const request = await hookRequest(setup, behaviour);
    await expect(runHook(request)).rejects.toMatchObject({
      code: 'tool',
      message: expect.stringContaining(said),
    });
    expect(readFileSync(request.logFile, 'utf8')).toContain('installing on amd64');
  }
});

test('a hook that hangs is ended, and nothing of it goes on', async () => {
  const request = await hookRequest(
    setup,
    { shell: 'sleep 4711 & echo started; sleep 4711' },
    { timeoutSeconds: 3 },
  );
  await expect(runHook(request)).rejects.toMatchObject({
    code: 'tool',
    message: expect.stringContaining('took longer than 3 s'),
  });
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('sleep 4711');
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(request.workFolder);
});

test('an interruption ends it at once and leaves no process and no mount', async () => {
  const abort = new AbortController();
  const request = await hookRequest(setup, { shell: 'sleep 4712' });
  const running = runHook({ ...request, context: { ...request.context, signal: abort.signal } });
  setTimeout(() => abort.abort(), 1500);
  await expect(running).rejects.toMatchObject({ code: 'interrupted' });
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('sleep 4712');
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(request.workFolder);
});

test('files of the root that the hook removes are named', async () => {
  const { removed } = await runHook(await hookRequest(setup, { shell: 'rm -r /opt/old' }));
  expect(removed.some((path) => path.startsWith('/opt/old'))).toBe(true);
});

test('a set-uid file stays what it is, for the tree to refuse', async () => {
  const { upper } = await runHook(
    await hookRequest(setup, { shell: 'touch /usr/bin/su2 && chmod 4755 /usr/bin/su2' }),
  );
  expect(statSync(join(upper, 'usr/bin/su2')).mode & 0o7777).toBe(0o4755);
});

test('a hook for arm64 sees arm64 and can run what it installed for arm64', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-arm64-'));
  const plugin = await buildPlugin(join(folder, 'agent-provider-test'), 'arm64');
  const emulator = execFileSync('sh', ['-c', 'command -v qemu-aarch64-static'], { encoding: 'utf8' }).trim();
  const request = await hookRequest(
    { ...setup, plugin },
    { shell: 'uname -m > /usr/bin/machine' },
    { architecture: 'arm64', emulator },
  );
  const { upper } = await runHook(request);
  expect(readFileSync(join(upper, 'usr/bin/machine'), 'utf8')).toBe('aarch64\n');
  expect(readFileSync(request.logFile, 'utf8')).toContain('installing on arm64');
});
