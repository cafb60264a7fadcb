import { access, chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run, toolEnvironment } from '../../src/support/subprocess.ts';

const script = join(import.meta.dirname, '../../standin/install/get-k3s.sh');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-standin-'));
  await mkdir(join(folder, 'tools'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Runs the script as the provider's hook does, with a curl that answers one address and notes what it is asked. */
async function install(args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
  const curl = join(folder, 'tools/curl');
  await writeFile(
    curl,
    `#!/bin/sh
echo "$@" >> ${folder}/asked
case "$*" in *"/k3s/v1.36.3+k3s0/k3s-"*) echo program > "$3" ;; *) exit 22 ;; esac
`,
  );
  await chmod(curl, 0o755);
  return run('sh', [script, ...args], {
    env: {
      ...toolEnvironment(),
      PATH: `${folder}/tools:/usr/bin:/bin`,
      INSTALL_K3S_BIN_DIR: join(folder, 'bin'),
      INSTALL_K3S_SYSTEMD_DIR: join(folder, 'units'),
      INSTALL_K3S_SKIP_ENABLE: 'true',
      INSTALL_K3S_SYMLINK: 'force',
      INSTALL_K3S_VERSION: 'v1.36.3+k3s0',
      ARCH: 'amd64',
      ...environment,
    },
    okCodes: [0, 1],
  });
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe('the stand-in install script', () => {
  it('says that it is a stand-in', async () => {
    expect((await install()).stdout.toString()).toMatch(/stand-in: this is not the installer of k3s/);
  });

  it('downloads the program of the asked version and architecture, executable', async () => {
    await install([], { ARCH: 'aarch64' });
    expect(await readFile(join(folder, 'asked'), 'utf8')).toContain(
      'https://standin.sextant.invalid/k3s/v1.36.3+k3s0/k3s-arm64',
    );
    expect((await stat(join(folder, 'bin/k3s'))).mode & 0o777).toBe(0o755);
  });

  it('writes a unit that starts the server and names no folder but the ones asked for', async () => {
    await install();
    const unit = await readFile(join(folder, 'units/k3s.service'), 'utf8');
    expect(unit).toContain(`ExecStart=${folder}/bin/k3s server\n`);
    expect(unit).toMatch(/^Type=notify$/m);
    expect(unit).toMatch(/^EnvironmentFile=-\/etc\/sysconfig\/%N$/m);
    expect(unit).toMatch(/^Description=.*stand-in/m);
  });

  it('writes the unit of an agent beside that of the server', async () => {
    await install();
    await install(['agent', '--node-label=a=b']);
    const unit = await readFile(join(folder, 'units/k3s-agent.service'), 'utf8');
    expect(unit).toContain(`ExecStart=${folder}/bin/k3s agent --node-label=a=b\n`);
    expect(await exists(join(folder, 'units/k3s.service'))).toBe(true);
    expect(await exists(join(folder, 'bin/k3s-agent-uninstall.sh'))).toBe(true);
  });

  it('links the tools that are in the program', async () => {
    await install();
    for (const tool of ['kubectl', 'crictl', 'ctr'])
      expect(await readlink(join(folder, 'bin', tool))).toBe('k3s');
  });

  it('keeps K3S variables for the service, readable by root alone', async () => {
    await install([], { K3S_TOKEN: 'secret' });
    const file = join(folder, 'units/k3s.service.env');
    expect(await readFile(file, 'utf8')).toBe('K3S_TOKEN=secret\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('fails by name and leaves no part of a program when the download is refused', async () => {
    const { code, stderr } = await install([], { INSTALL_K3S_VERSION: 'v9.9.9+k3s1' });
    expect(code).toBe(1);
    expect(stderr.toString()).toContain(
      'download failed: https://standin.sextant.invalid/k3s/v9.9.9+k3s1/k3s-amd64',
    );
    expect(await exists(join(folder, 'bin/k3s'))).toBe(false);
    expect(await exists(join(folder, 'bin/.k3s.part'))).toBe(false);
  });

  it('does not guess a version', async () => {
    const { code, stderr } = await install([], { INSTALL_K3S_VERSION: '' });
    expect(code).toBe(1);
    expect(stderr.toString()).toContain('INSTALL_K3S_VERSION is not set');
  });
});
