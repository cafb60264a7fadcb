import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { judgeProgram } from './real-registry.ts';

const CHROOT = '/usr/sbin/chroot';
/** Where kairos-agent keeps extensions. */
const STORE = 'var/lib/kairos/extensions';

/**
 * A root folder in which the real kairos-agent (static) installs extensions, entered by chroot; needs root. There is no systemd in it: the agent only
 * looks whether systemd-sysext is there, installing does not call it.
 */
export function agentRoot(folder: string) {
  for (const each of ['usr/bin', 'tmp', 'etc', 'run', 'oem', STORE])
    mkdirSync(join(folder, each), { recursive: true });
  copyFileSync(judgeProgram('kairos-agent'), join(folder, 'usr/bin/kairos-agent'));
  writeFileSync(join(folder, 'usr/bin/systemd-sysext'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const args = (reference: string) => [folder, '/usr/bin/kairos-agent', 'sysext', 'install', reference];
  const env = { PATH: '/usr/bin' };
  return {
    store: join(folder, STORE),
    stored: () => (existsSync(join(folder, STORE)) ? readdirSync(join(folder, STORE)) : []),
    install(reference: string) {
      const { status, stdout, stderr } = spawnSync(CHROOT, args(reference), { encoding: 'utf8', env });
      return { code: status, said: `${stdout}${stderr}` };
    },
    /** The same while this process does other things, such as being the registry. */
    async installing(reference: string) {
      const child = spawn(CHROOT, args(reference), { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit'),
      ]);
      return { code: code as number | null, said: `${stdout}${stderr}` };
    },
  };
}
