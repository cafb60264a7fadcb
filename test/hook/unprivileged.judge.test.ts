import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWAIT_MAPS, MAP_ALL } from '../../src/hook/sandbox-scripts.ts';
import { hostArchitecture } from '../../src/support/architecture.ts';
import { run } from '../../src/support/subprocess.ts';
import { buildDriver, DROP_ROOT, type DriverRequest, giveToNobody, runDriver } from './as-nobody.ts';
import { buildPlugin } from './hooks.ts';
import { makeRoot } from './root.ts';

const GET = 'https://get.k3s.io/';
let folder: string;
let root: string;
let plugin: string;
let driver: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-nobody-'));
  await chmod(folder, 0o777);
  root = await makeRoot(join(folder, 'root'));
  await giveToNobody(root);
  plugin = await buildPlugin(join(folder, 'agent-provider-test'), hostArchitecture() ?? 'amd64');
  await writeFile(join(folder, 'served'), '#!/bin/sh\necho v1.36.3+k3s1\n');
  driver = await buildDriver();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(driver, { force: true });
});

async function request(behaviour: Record<string, unknown>): Promise<DriverRequest> {
  count += 1;
  const own = join(folder, String(count));
  await mkdir(own);
  await giveToNobody(own);
  return {
    plugin,
    architecture: hostArchitecture() ?? 'amd64',
    root,
    payload: {
      provider: 'k3s',
      version: 'v1.36.3+k3s1',
      logLevel: 'info',
      config: JSON.stringify(behaviour),
      family: 'debian',
    },
    environment: {},
    timeoutSeconds: 60,
    files: { [GET]: join(folder, 'served') },
    workFolder: join(own, 'work'),
    logFile: join(own, 'build.log'),
  };
}

describe('a hook run by a user without rights', () => {
  it('installs as root of its own namespace: fetching, set-uid, removing, unreadable folders', async () => {
    const asked = await request({
      get: GET,
      shell: `curl -sfL ${GET} -o /tmp/i && chown root:root /tmp/i && mv /tmp/i /usr/bin/k3s && chmod 4755 /usr/bin/k3s && rm -r /opt/old && mkdir /opt/old && id -u && mkdir -m 0 /opt/closed`,
      run: '/usr/bin/fetched',
    });
    const { result, error } = await runDriver(driver, asked);
    expect(error).toBeUndefined();
    expect(result).toMatchObject({
      version: 'v1.36.3+k3s1',
      removed: ['/opt/old/deep', '/opt/old/file'],
      urls: [GET],
    });
    const upper = result?.upper ?? '';
    expect((await readdir(upper, { recursive: true })).sort()).toEqual(
      ['opt', 'opt/closed', 'opt/old', 'usr', 'usr/bin', 'usr/bin/fetched', 'usr/bin/k3s'].sort(),
    );
    expect((await stat(join(upper, 'usr/bin/k3s'))).mode & 0o7777).toBe(0o4755);
    expect(await readFile(asked.logFile, 'utf8')).toContain('[init.provider.install data] 0');
    expect(await readdir(asked.workFolder)).toEqual(['upper']);
  });

  it('leaves nothing behind when it fails, whatever it wrote', async () => {
    const asked = await request({
      shell: 'mkdir -p /opt/a/b; touch /opt/a/b/c; rm -r /opt/old; chmod 0 /opt/a/b /opt/a; false',
    });
    const { error } = await runDriver(driver, asked);
    expect(error).toMatchObject({ code: 'tool' });
    expect(await readdir(asked.workFolder)).toEqual([]);
  });

  it.skipIf(DROP_ROOT.length === 0)('is told when the root belongs to someone else', async () => {
    const foreign = join(folder, 'foreign-root');
    await mkdir(foreign);
    const { error } = await runDriver(driver, { ...(await request({})), root: foreign });
    expect(error).toMatchObject({
      code: 'filesystem',
      message: `${foreign}: belongs to another user, the hook could not write over it`,
    });
  });

  // `apt-get install uidmap` would run it; only root can pretend that there are subordinate ids.
  it.skipIf(DROP_ROOT.length === 0 || !existsSync('/usr/bin/newuidmap'))(
    'can give files to other users where there are subordinate ids, and leaves none of theirs',
    async () => {
      const ids = join(folder, 'subid');
      await writeFile(ids, '65534:100000:65536\n');
      const script = 'mount -n --bind "$0" /etc/subuid && mount -n --bind "$0" /etc/subgid && exec "$@"';
      const prefix = ['unshare', '--mount', 'sh', '-c', script, ids, ...DROP_ROOT];
      const given =
        'mkdir /opt/given; touch /opt/given/f; chmod 6755 /opt/given/f; chown -R 12:13 /opt/given; chmod 700 /opt/given';
      const good = await request({ shell: `${given}; chmod 6755 /opt/given/f` });
      const { result, error } = await runDriver(driver, good, prefix);
      expect(error).toBeUndefined();
      const file = await stat(join(result?.upper ?? '', 'opt/given/f'));
      expect([file.uid, file.gid, file.mode & 0o7777]).toEqual([65534, 65534, 0o6755]);
      expect(await readFile(good.logFile, 'utf8')).toContain('[sandbox] user namespace with subordinate ids');
      const ended = { ...(await request({ shell: `${given}; sleep 4321` })), timeoutSeconds: 2 };
      expect((await runDriver(driver, ended, prefix)).error?.message).toContain('took longer than 2 s');
      expect(await readdir(ended.workFolder)).toEqual([]);
    },
  );

  // Only root can make a namespace in which no other may be made.
  it.skipIf(DROP_ROOT.length === 0)('is told what to do where user namespaces are forbidden', async () => {
    const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
    const prefix = ['sh', '-c', MAP_ALL, 'sh', AWAIT_MAPS, 'sh', '-c', forbid, 'sh', ...DROP_ROOT];
    const asked = await request({});
    const { error } = await runDriver(driver, asked, prefix);
    expect(error?.code).toBe('tool');
    expect(error?.message).toMatch(
      /^the sandbox of the hook cannot be made here without root \(namespaces\): unshare/,
    );
    expect(error?.hint).toContain('sysctl -w user.max_user_namespaces=15000');
    expect(await readdir(asked.workFolder)).toEqual([]);
  });

  it.skipIf(DROP_ROOT.length === 0)('is told when there is no overlay to be had for its folder', async () => {
    const asked = await request({});
    // An overlay cannot be the upper layer of another one.
    const script =
      'mkdir -p $0/l $0/u $0/w $0/m && mount -n -t tmpfs t $0/u && mkdir $0/u/u $0/u/w && mount -n -t overlay -o lowerdir=$0/l,upperdir=$0/u/u,workdir=$0/u/w o $0/m && chmod 777 $0/m && exec "$@"';
    const over = join(folder, 'over');
    const prefix = ['unshare', '--mount', 'sh', '-c', script, over, ...DROP_ROOT];
    const { error } = await runDriver(driver, { ...asked, workFolder: join(over, 'm/work') }, prefix);
    expect(error?.message).toContain('cannot be made here without root (overlay)');
    expect(error?.hint).toContain('SEXTANT_CACHE');
  });
});

describe('root in a container', () => {
  it.skipIf(DROP_ROOT.length === 0)(
    'runs hooks like any root, although it is not the machine’s',
    async () => {
      const own = await mkdtemp(join(tmpdir(), 'sextant-container-'));
      const inner = await makeRoot(join(own, 'root'));
      const asked = {
        ...(await request({ get: GET, shell: 'rm -r /opt/old' })),
        root: inner,
        workFolder: join(own, 'work'),
      };
      const { result, error } = await runDriver(driver, { ...asked, logFile: join(own, 'log') }, [
        'sh',
        '-c',
        MAP_ALL,
        'sh',
        AWAIT_MAPS,
      ]);
      expect(error).toBeUndefined();
      expect(result?.removed).toEqual(['/opt/old']);
      await run('rm', ['-rf', own]);
    },
  );
});
