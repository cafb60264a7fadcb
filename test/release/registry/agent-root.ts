import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgeProgram } from './real-registry.ts';

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
  return {
    store: join(folder, STORE),
    stored: () => (existsSync(join(folder, STORE)) ? readdirSync(join(folder, STORE)) : []),
    install(reference: string) {
      const { status, stdout, stderr } = spawnSync(
        '/usr/sbin/chroot',
        [folder, '/usr/bin/kairos-agent', 'sysext', 'install', reference],
        { encoding: 'utf8', env: { PATH: '/usr/bin' } },
      );
      return { code: status, said: `${stdout}${stderr}` };
    },
  };
}
